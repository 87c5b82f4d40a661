// turn_fallback(): one turn of the fallback of a running source: what control sees goes in, and
// what the fallback asks for is carried out. Also what it starts from, and leaves on record.
//
// The simulator runs this as control does. Control thread of the source.
#pragma once

#include <algorithm>
#include <optional>
#include <utility>

#include "base/assert.h"
#include "base/mutant.h"
#include "control/exposure/ledger.h"
#include "control/fallback/fallback.h"
#include "control/stream/source_state.h"
#include "control/stream/stream_fingerprint.h"
#include "dataplane/lane/source_queues.h"
#include "dataplane/session/source_handshake.h"
#include "shim/binlog/binlog_event.h"
#include "shim/binlog/stream_scan.h"

namespace binlane {

struct FallbackObservation {
  SourceMarks marks;
  Position dump;  // of this incarnation's dump connection; null: there is none
  bool acker_registered = false;
  bool server_reachable = false;
  bool numbering_over = false;     // BinlogNumbers says so
  std::optional<ServerPoll> poll;  // since the last turn
};

inline FallbackStart fallback_start(const SourceState& state, const Ledger& ledger,
                                    bool fresh_stream, bool same_run) {
  FallbackStart start;
  start.fresh = fresh_stream;
  start.exposed_from = exposed_since(state);
  start.interval_open = ledger.open_in_stream();
  start.ledger_failed = ledger.failed();
  start.server_restarted = state.unaccounted && !same_run;
  start.unrecorded = state.unaccounted && same_run;
  if (same_run && !state.unaccounted) start.counters = state.counters;
  return start;
}

// While its server or its binlogs are unfit, nothing here makes commits wait. This is recorded from
// the last quorum on, in case the host is lost before the next incarnation can record it. [S8]
// Nothing is known of a stream before the first. Returns false if the ledger takes no line.
[[nodiscard]] inline bool expose_refused(Ledger& ledger, const SourceState& state,
                                         std::string_view problem) {
  if (state.origin.is_null() || ledger.open_in_stream()) return true;
  return ledger.expose(exposed_since(state), state.epoch, ExposureKind::server_side, problem)
      .has_value();
}

// A server that was restarted and has been ON since then has released nothing as long as none of
// its counters has moved, and without a connection of ours nothing has moved them. Then only what
// the previous run may have released remains to be recorded: nothing, if it wrote nothing after
// what was accounted for.
struct RestartProof {
  bool on_since_start = false;             // before our first connection for ACKs to this run
  std::optional<ServerCounters> counters;  // at that moment
};

inline void account_for_restart(FallbackStart& start, const RestartProof& proof,
                                const SourceState& state, const BinlogFolder& folder) {
  if (!start.server_restarted || start.exposed_from > state.run_start) return;
  const bool quiet = proof.on_since_start && proof.counters == ServerCounters{};
  if (BL_MUTANT(restart_taken_for_quiet, false, !quiet)) return;
  const auto groups = count_groups(folder, start.exposed_from, state.run_start);
  if (groups != std::uint64_t{0}) return;
  start.server_restarted = false;
  start.counters = proof.counters;
}

// An incarnation has ended in order, and the server has neither been restarted nor released
// anything by itself since then. So what its quorum had was released by ACKs. Only what follows may
// have been released without a quorum, because nobody looked until now.
inline void account_for_end(FallbackStart& start, const RestartProof& proof,
                            const SourceState& state) {
  if (!start.unrecorded || !state.ended_in_order || !proof.counters) return;
  const bool released = released_by_itself(state.counters, *proof.counters);
  if (BL_MUTANT(ended_releases_ignored, false, released)) return;
  start.exposed_from = std::max(start.exposed_from, state.quorum);
  start.counters = proof.counters;
}

inline FallbackInputs fallback_inputs(const FallbackObservation& sight, const SourceLogView& proof,
                                      std::uint64_t now_ns) {
  const SourceMarks& marks = sight.marks;
  // As the lane has published them.
  BL_ASSERT(marks.quorum <= marks.written && marks.synced <= marks.written);
  BL_ASSERT(marks.released <= marks.synced && marks.all_read_ns <= marks.at_ns);
  FallbackInputs inputs;
  inputs.now_ns = now_ns;
  inputs.sampled_ns = marks.at_ns;
  inputs.all_read_ns = marks.all_read_ns;
  if (!sight.dump.is_null()) {
    // A position in a file that the map does not know yet is at its newest end.
    const std::uint64_t linear = proof.linear_of(sight.dump).value_or(marks.written);
    inputs.dump = {std::min(linear, marks.written), sight.dump};
  }
  inputs.written = {marks.written, marks.written_at};
  inputs.quorum = {marks.quorum, marks.quorum_at};
  inputs.quorum_connected = marks.satisfiable;
  inputs.acker_registered = sight.acker_registered;
  inputs.server_reachable = sight.server_reachable;
  inputs.numbering_over = sight.numbering_over;
  inputs.poll = sight.poll;
  return inputs;
}

// From time to time; and at once in three cases: when the stream can be given its first anchor,
// because until then nothing distinguishes another stream from it; when it has its first quorum;
// and when another party makes its commits wait.
inline bool state_is_due(const SourceState& before, const Position& synced,
                         const SourceMarks& marks, const Fallback& fallback, std::uint64_t now_ns,
                         std::uint64_t due_ns) noexcept {
  return now_ns >= due_ns || (before.anchor.at.is_null() && can_anchor(synced)) ||
         (before.quorum.is_null() && !marks.quorum_group_at.is_null()) ||
         (!before.promised && fallback.promises());
}

// What the ledger has of the server's own releases, and the counters that go with that.
inline void note_looked(SourceState& next, const Fallback& fallback) {
  next.looked = std::max(next.looked, fallback.exposed_from());
  if (fallback.server_counters()) next.counters = *fallback.server_counters();
}

// What is recorded as an incarnation ends, so that the next one is held to everything that replicas
// were told. The anchor does not change, because the files may be others by now. Until the next
// incarnation nobody looks at the server, which may release commits meanwhile.
inline SourceState ended_state(const SourceState& before, const Position& synced,
                               const SourceMarks& marks, const Fallback& fallback) {
  SourceState next = before;
  next.unaccounted = BL_MUTANT(unrecorded_forgotten, before.unaccounted, true);
  next.ended_in_order = fallback.accounts() && fallback.server_counters();
  if (next.ended_in_order) note_looked(next, fallback);
  if (BL_MUTANT(told_forgotten_at_end, true, marks.epoch != before.epoch)) return next;
  next.synced = std::max(next.synced, synced);
  next.quorum = std::max(next.quorum, marks.quorum_group_at);
  return next;
}

// Before the server is switched ON.
inline SourceState promised_state(const SourceState& before) {
  SourceState next = before;
  next.promised = true;
  return next;
}

// And while it runs.
inline SourceState grown_state(const SourceState& before, const BinlogFolder& folder,
                               const Position& synced, const SourceMarks& marks,
                               const Fallback& fallback) {
  SourceState next = before;
  next.synced = std::max(next.synced, synced);
  next.quorum = std::max(next.quorum, marks.quorum_group_at);
  next.unaccounted = BL_MUTANT(unrecorded_forgotten, false, !fallback.accounts());
  next.promised = before.promised || fallback.promises();
  if (next.synced != before.synced) next.anchor = make_anchor(folder, next.synced, next.anchor);
  next.ended_in_order = false;
  if (!next.unaccounted) note_looked(next, fallback);
  return next;
}

// `host` carries out actions (carry_out(action), true when done), records that commits wait
// (promise(), true when it is recorded), shows transitions (show(…)), tells the lane whether the
// server waits (tell_degraded(bool)), and knows the time (now_ns()).
template <class Host>
void turn_fallback(Fallback& fallback, FallbackInputs inputs, Host& host) {
  // One action a tick; a few in a row if each leads to the next.
  constexpr int kActionsPerTurn = 8;
  for (int i = 0; i < kActionsPerTurn; ++i) {
    const auto action = fallback.tick(inputs);
    inputs.poll.reset();
    if (action) {
      const bool kept = BL_MUTANT(promise_unrecorded, true,
                                  action->kind != FallbackAction::Kind::turn_on || host.promise());
      const bool done = kept && host.carry_out(*action);
      fallback.complete(done, host.now_ns());
    }
    while (const auto transition = fallback.pop_transition()) host.show(*transition);
    host.tell_degraded(fallback.degraded());
    if (!action) break;
    inputs.now_ns = host.now_ns();
  }
}

}  // namespace binlane
