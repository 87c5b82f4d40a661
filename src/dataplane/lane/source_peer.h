// SourcePeer: one replica as a source's lane sees it: its session, where it is reached, and where
// in the stream its session's offsets begin.
//
// The session counts from its own beginning; everything else in the lane counts in the stream's
// linear offsets. This is the place where one becomes the other. Owned by the lane's thread.
#pragma once

#include <array>
#include <cstdint>

#include "base/assert.h"
#include "binlane/wire.h"
#include "dataplane/lane/release_marks.h"
#include "dataplane/port/port.h"
#include "dataplane/session/quorum_rule.h"
#include "dataplane/session/sender_session.h"

namespace binlane {

struct SourcePeer {
  SenderSession session;
  std::uint32_t port = 0;
  Endpoint endpoint;
  std::uint64_t origin = 0;  // the stream offset at which the session's offsets begin
  std::uint64_t sent = 0;    // the end of what this turn has sent for the first time; 0: nothing

  std::uint64_t in_stream(SessionOffset at) const noexcept { return origin + at.value; }
  // What is before the session's beginning counts as its beginning.
  SessionOffset in_session(std::uint64_t at) const noexcept {
    return SessionOffset{at > origin ? at - origin : 0};
  }

  std::uint64_t received() const noexcept { return in_stream(session.received()); }
  std::uint64_t durable() const noexcept { return in_stream(session.durable()); }
  // 0 while it is unknown.
  std::uint64_t applied() const noexcept {
    const SessionOffset applied = session.applied();
    const bool known = applied.value > 0 || (session.peer_state() & wire::kStateAppliedKnown) != 0;
    return known ? in_stream(applied) : 0;
  }
  // What the source announces to this replica.
  SessionMarks told(const ReleaseMarks& marks, std::uint32_t replica) const noexcept {
    return {in_session(marks.synced()), in_session(marks.told(replica))};
  }
};

using SourcePeers = std::array<SourcePeer, kMaxReplicas>;

}  // namespace binlane
