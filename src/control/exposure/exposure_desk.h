// ExposureDesk: tells every replica in session what was released without a quorum, until the
// replica has that on its own stable storage. [S8, S10]
//
// No I/O, no clock. One list at a time; its number grows with every change. The source's lane tells
// a replica of what was released without a quorum only once that replica knows the list that says
// so. Therefore SetDegraded and SetExposureKnown contain these numbers. Control thread of the
// source; one per incarnation.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "control/exposure/exposure.h"
#include "dataplane/lane/source_queues.h"
#include "dataplane/session/source_handshake.h"

namespace binlane {

// A list that is not acknowledged is sent again at this pace.
inline constexpr std::uint64_t kExposedRepeatNs = kHelloRepeatNs;

class ExposureDesk {
 public:
  ExposureDesk(const Uuid& origin, Epoch epoch) noexcept : epoch_(epoch) {
    list_.origin = origin;
    list_.term = epoch.term;
  }

  // What the ledger says now. Returns the list's number.
  std::uint64_t update(std::vector<Exposure> exposures, std::uint64_t total);
  // The sessions at this moment, by replica; 0 for none. A new session knows nothing.
  void on_session(std::uint32_t replica, std::uint64_t session_id, std::uint32_t port,
                  const Endpoint& peer);

  // The next frame that is due, if any: ask until there is none.
  bool poll(std::uint64_t now_ns, HelloMessage& message);
  // An EXPOSED_ACK. Returns true if it is news: `replica` knows the list `number` now.
  bool on_reply(const FrameView& frame, std::uint32_t& replica, std::uint64_t& number);
  // The answer comes from the address that its session is with; no other address counts. [S19]
  bool comes_from_its_peer(std::uint64_t session_id, std::uint32_t port,
                           const Endpoint& from) const noexcept;
  // The replica's answer could not be passed on, so it is asked again.
  void forget(std::uint32_t replica) noexcept { peers_[replica].known = 0; }

  std::uint64_t number() const noexcept { return list_.number; }
  std::uint64_t known(std::uint32_t replica) const noexcept { return peers_[replica].known; }

 private:
  struct Peer {
    std::uint64_t session_id = 0;
    std::uint32_t port = 0;
    Endpoint endpoint;
    std::uint64_t known = 0;    // number of the newest list that it has on record
    std::uint64_t told = 0;     // number of the newest list that was sent to it
    std::uint64_t next_ns = 0;  // not sent again before this time
    std::uint64_t packets = 0;
  };

  Epoch epoch_;
  ExposureList list_;
  std::array<Peer, kMaxReplicas> peers_{};
};

}  // namespace binlane
