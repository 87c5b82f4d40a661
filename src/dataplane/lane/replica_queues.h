// What passes between a replica's lane and the threads around it: HELLOs and answers, marks for the
// archive and its sequence numbers, and the marks that the lane publishes.
//
// Everything here is a plain value. Other threads put theirs in through ReplicaLaneProxy
// (replica_lane_proxy.h). Every queue counts how often it was full.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/spsc_queue.h"
#include "dataplane/lane/lane_quiesce.h"
#include "dataplane/lane/queue_count.h"
#include "dataplane/lane/seqlock.h"
#include "dataplane/port/port.h"
#include "dataplane/session/hello.h"
#include "dataplane/session/peer_list.h"
#include "dataplane/session/receiver_session.h"
#include "dataplane/session/replica_handshake.h"

namespace binlane {

struct ReplicaLaneMarks {
  std::uint64_t turns = 0;
  bool connected = false;
  std::uint64_t session_id = 0;
  std::uint64_t heard_ns = 0;  // when the session began, or its source's last frame came
  Epoch epoch;
  Endpoint source;
  Position received;
  Position durable;
  Position released;
  std::uint64_t durable_log = 0;
  std::uint64_t end_log = 0;
  std::uint64_t released_log = 0;
  std::uint32_t free_blocks = 0;
  std::uint32_t block_count = 0;
  std::int32_t failure = 0;  // errno of the journal's device; 0: none
  std::uint64_t writes = 0;
  std::uint64_t frame_faults = 0;    // foreign or damaged datagrams of our sources
  std::uint64_t unknown_peers = 0;   // datagrams of addresses that are no source's, dropped unread
  Endpoint unknown_peer;             // the last such address
  std::uint64_t unknown_frames = 0;  // intact frames that no replica takes, or not of this session
  std::uint64_t hellos_lost = 0;     // no room for it in the queue, or too long to be one
  // The oldest file that another replica in a session lacks; 0: the source has not said.
  std::uint32_t peers_need = 0;
  ReceiverCounters receiver;
};

inline constexpr std::size_t kReplicaHelloQueue = 16;
inline constexpr std::size_t kPeerListQueue = 4;
inline constexpr std::size_t kArchiveQueue = 1024;
// Stream bytes of the largest frame any port brings (jumbo Ethernet); sizes the slots for
// out-of-order frames.
inline constexpr std::uint32_t kMaxFramePayload = 9600;

template <class ReleaseMark>
struct ReplicaLaneQueues {
  using ReleaseMarkType = ReleaseMark;

  LaneQuiesce pause;
  SpscQueue<PeerList, kPeerListQueue> peers;  // settings → lane: whom to hear from now on
  SpscQueue<HelloMessage, kReplicaHelloQueue> hello_in;   // lane → control
  SpscQueue<AdmittedHello, kReplicaHelloQueue> admitted;  // control → lane
  SpscQueue<HelloMessage, kReplicaHelloQueue> answers;  // control → lane: to be sent as they are
  SpscQueue<ReleaseMark, kArchiveQueue> released;       // lane → archive
  SpscQueue<std::uint64_t, kArchiveQueue> archived;     // archive → lane
  SeqlockValue<ReplicaLaneMarks> marks;
  std::atomic<std::uint16_t> state{0};        // wire::AckState bits that control knows of
  std::atomic<std::uint64_t> applied_log{0};  // what the local server has executed; 0: unknown

  // Any thread.
  std::array<QueueCount, 6> times_full() const noexcept {
    return {{{"replica_sources", peers.times_full()},
             {"replica_hellos_in", hello_in.times_full()},
             {"replica_hellos_admitted", admitted.times_full()},
             {"replica_answers", answers.times_full()},
             {"archive_released", released.times_full()},
             {"archive_archived", archived.times_full()}}};
  }
};

}  // namespace binlane
