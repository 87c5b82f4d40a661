// SourceLaneProxy: how the control thread of a source tells its lane something. One function for
// each thing that can be told.
//
// Each function returns true when the lane will get it. False means that the queue is full: the
// queue has counted that, nothing was told, and the caller tells it again in a later turn. A HELLO
// that does not fit is lost, as one may be on the network, and the handshake repeats it. Made where
// it is needed: it holds nothing but a reference to the queues. Control thread only.
#pragma once

#include <cstdint>

#include "base/assert.h"
#include "dataplane/lane/source_queues.h"

namespace binlane {

class SourceLaneProxy {
 public:
  explicit SourceLaneProxy(SourceLaneQueues& queues) noexcept : queues_(queues) {}

  [[nodiscard]] bool start_session(const StartSession& session) noexcept {
    BL_ASSERT(session.replica < kMaxReplicas && session.session_id != 0);
    return tell(session);
  }
  [[nodiscard]] bool stop_session(std::uint32_t replica) noexcept {
    BL_ASSERT(replica < kMaxReplicas);
    return tell(StopSession{replica});
  }
  [[nodiscard]] bool set_rule(const QuorumRule& rule) noexcept { return tell(SetRule{rule}); }
  [[nodiscard]] bool set_degraded(std::uint64_t exposure, bool hold) noexcept {
    return tell(SetDegraded{true, exposure, hold});
  }
  [[nodiscard]] bool end_degraded() noexcept { return tell(SetDegraded{}); }
  [[nodiscard]] bool set_synced(const Position& synced) noexcept { return tell(SetSynced{synced}); }
  [[nodiscard]] bool set_exposure_known(std::uint32_t replica, std::uint64_t session_id,
                                        std::uint64_t exposure) noexcept {
    BL_ASSERT(replica < kMaxReplicas);
    return tell(SetExposureKnown{replica, session_id, exposure});
  }
  [[nodiscard]] bool set_slow(ReplicaSet slow) noexcept { return tell(SetSlow{slow}); }
  // Sends the frame as it is.
  bool send_hello(const HelloMessage& message) noexcept {
    BL_ASSERT(message.length <= message.bytes.size());
    return queues_.hello_out.try_push(message);
  }

  // While the lane is quiesced: what it was told before means nothing in the next incarnation.
  void forget_commands() noexcept {
    SourceCommand command;
    while (queues_.commands.try_pop(command)) {
    }
  }

 private:
  bool tell(const SourceCommand& command) noexcept { return queues_.commands.try_push(command); }

  SourceLaneQueues& queues_;
};

}  // namespace binlane
