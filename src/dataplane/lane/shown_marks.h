// ShownMarks: what a source's lane publishes, filled from its parts at MarkPace's pace. Owned by
// the lane's thread.
#pragma once

#include <cstdint>

#include "base/assert.h"
#include "base/mutant.h"
#include "dataplane/lane/quorum_marks.h"
#include "dataplane/lane/release_marks.h"
#include "dataplane/lane/source_parts.h"
#include "dataplane/lane/source_peer.h"
#include "dataplane/lane/source_queues.h"
#include "dataplane/session/quorum_gate.h"

namespace binlane {

struct ShownMarks : SourceMarks {
  // A new incarnation has no such places yet.
  void forget_places() noexcept { synced_at = quorum_at = released_at = {}; }

  template <BinlogStream Stream>
  void show(const Stream& stream, const ReleaseMarks& marks, const QuorumGate& gate,
            const QuorumMarks& acknowledged) noexcept {
    BL_ASSERT(acknowledged.quorum() == gate.quorum());
    BL_ASSERT(marks.released() <= marks.synced() && marks.synced() <= stream.written());
    all_read_ns = stream.all_read_ns();
    written = stream.written();
    synced = marks.synced();
    quorum = gate.quorum();
    released = marks.released();
    written_at = stream.position_of(written);
    whole_at =
        stream.position_of(BL_MUTANT(half_group_synced, stream.written(), stream.group_end()));
    keep_or_move(synced_at, stream, synced);
    // A mark of 0 is none. The map begins with the oldest remaining file, and a quorum of earlier
    // incarnations may be before that.
    if (BL_MUTANT(quorum_of_nothing, true, quorum > 0)) keep_or_move(quorum_at, stream, quorum);
    quorum_group_at = acknowledged.group_at();
    keep_or_move(released_at, stream, released);
    satisfiable = gate.satisfiable();
    rule_number = gate.rule().number;
  }

  template <BinlogStream Stream>
  void show(const Stream& stream, const SourcePeers& peers) noexcept {
    for (std::size_t i = 0; i < peers.size(); ++i) {
      const SourcePeer& peer = peers[i];
      ReplicaMarks& shown = replicas[i];
      shown.connected = peer.session.active();
      if (!shown.connected) continue;
      shown.state = peer.session.peer_state();
      shown.received = peer.received();
      shown.durable = peer.durable();
      shown.applied = peer.applied();
      BL_ASSERT(shown.applied <= shown.durable && shown.durable <= shown.received);
      shown.applied_at = shown.applied == 0 ? Position{} : stream.position_of(shown.applied);
      shown.received_at = stream.position_of(shown.received);
      shown.durable_at = stream.position_of(shown.durable);
      shown.rtt_ns = peer.session.round_trip().smoothed_ns();
      shown.counters = peer.session.counters();
    }
    peers_need = oldest_needed_file();
  }

 private:
  // A replica's position is unknown while the file that contains it is purged.
  std::uint32_t oldest_needed_file() const noexcept {
    std::uint32_t oldest = 0;
    for (const ReplicaMarks& marks : replicas) {
      if (!marks.connected) continue;
      if (marks.durable_at.is_null()) return 0;
      if (oldest == 0 || marks.durable_at.file < oldest) oldest = marks.durable_at.file;
    }
    return oldest;
  }
};

}  // namespace binlane
