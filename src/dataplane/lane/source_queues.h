// What passes between a source's lane and the threads around it: commands to the lane, events and
// HELLOs from it, and the marks that it publishes.
//
// Everything here is a plain value. Other threads put commands and HELLOs in through
// SourceLaneProxy (source_lane_proxy.h). Every queue counts how often it was full.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <variant>

#include "base/clock.h"
#include "base/offset.h"
#include "base/spsc_queue.h"
#include "dataplane/lane/commit_tracer.h"
#include "dataplane/lane/lane_quiesce.h"
#include "dataplane/lane/queue_count.h"
#include "dataplane/lane/seqlock.h"
#include "dataplane/port/port.h"
#include "dataplane/session/hello.h"
#include "dataplane/session/quorum_gate.h"
#include "dataplane/session/sender_session.h"

namespace binlane {

// A handshake with this replica led to a session. The lane passes it over when the epoch is not its
// own any more.
struct StartSession {
  std::uint32_t replica = 0;  // index
  std::uint32_t port = 0;     // index of the lane's port
  Endpoint peer;
  Epoch epoch;
  std::uint64_t session_id = 0;
  std::uint64_t origin = 0;  // the stream offset from which the session's marks count
  SessionOffset durable;
  SessionOffset window_end;
  Uuid journal_id;
};
// The replica's session is over; it counts in the gate no more.
struct StopSession {
  std::uint32_t replica = 0;
};
struct SetRule {
  QuorumRule rule;
};
// The source begins or ends to let commits go on without a quorum. Replicas that have exposure list
// number `exposure` or a later one on record hear of bytes that were released without a quorum,
// except that with `hold` a replica hears of them only when its journal is full. [S10]
struct SetDegraded {
  bool degraded = false;
  std::uint64_t exposure = 0;
  bool hold = false;
};
// The binlog is on the source's own stable storage up to here. [S7]
struct SetSynced {
  Position synced;
};
// The replica has exposure list number `exposure` on record, as it said in this session. [S10]
struct SetExposureKnown {
  std::uint32_t replica = 0;
  std::uint64_t session_id = 0;
  std::uint64_t exposure = 0;
};
// The gate passes these replicas over where the rule allows it.
struct SetSlow {
  ReplicaSet slow = 0;
};
using SourceCommand = std::variant<StartSession, StopSession, SetRule, SetDegraded, SetSynced,
                                   SetExposureKnown, SetSlow>;

struct SourceEvent {
  enum class Kind : std::uint8_t {
    session_lost,
    session_purged,
    session_duplicate,
    stream_stopped,
    journal_failed
  };
  Kind kind = Kind::session_lost;
  std::uint32_t replica = 0;
  std::int32_t error = 0;
};

// What the lane shows of one replica.
struct ReplicaMarks {
  bool connected = false;
  std::uint16_t state = 0;
  std::uint64_t received = 0;  // stream map's linear
  std::uint64_t durable = 0;
  std::uint64_t applied = 0;  // 0: unknown
  Position received_at;
  Position durable_at;
  Position applied_at;
  std::uint64_t rtt_ns = 0;
  SenderCounters counters;
};

struct SourceMarks {
  Epoch epoch;              // the incarnation that all marks belong to
  std::uint64_t at_ns = 0;  // when the lane looked
  // Everything that the server had written by then lies before `written`. A lane with a backlog is
  // behind `at_ns`.
  std::uint64_t all_read_ns = 0;
  std::uint64_t turns = 0;
  std::uint64_t written = 0;
  std::uint64_t synced = 0;
  std::uint64_t quorum = 0;
  std::uint64_t released = 0;
  Position written_at;
  Position whole_at;  // behind the last whole event group that was read
  Position synced_at;
  Position quorum_at;        // null: this incarnation has seen no quorum yet
  Position quorum_group_at;  // the end of a whole event group that the quorum mark has passed;
                             // null: none yet
  Position released_at;
  bool satisfiable = false;
  std::uint64_t rule_number = 0;     // of the rule that these marks were computed by
  std::uint32_t peers_need = 0;      // the oldest file that a connected replica lacks; 0: unknown
  std::uint64_t frame_faults = 0;    // foreign or damaged datagrams of our peers
  std::uint64_t unknown_peers = 0;   // datagrams of addresses that are no peer's, dropped unread
  Endpoint unknown_peer;             // the last such address
  std::uint64_t unknown_frames = 0;  // intact frames that belong to no session of their sender
  std::uint64_t hellos_lost = 0;     // no room for it in the queue, or too long to be one
  std::array<ReplicaMarks, kMaxReplicas> replicas{};
};

inline constexpr std::size_t kLaneQueue = 256;
inline constexpr std::size_t kHelloQueue = 16;
struct SourceLaneQueues {
  LaneQuiesce pause;
  SpscQueue<SourceCommand, kLaneQueue> commands;  // control → lane
  SpscQueue<SourceEvent, kLaneQueue> events;      // lane → control
  SpscQueue<HelloMessage, kHelloQueue> hello_in;  // lane → control
  SpscQueue<HelloMessage, kHelloQueue> hello_out;
  SeqlockValue<SourceMarks> marks;
  CommitTracer stages;

  // Any thread.
  std::array<QueueCount, 4> times_full() const noexcept {
    return {{{"source_commands", commands.times_full()},
             {"source_events", events.times_full()},
             {"source_hellos_in", hello_in.times_full()},
             {"source_hellos_out", hello_out.times_full()}}};
  }
};

}  // namespace binlane
