// turn_fallback(): one turn of the fallback of a source that runs: what control sees goes in, what
// it asks for is carried out. And what it starts from, and leaves on record.
//
// The simulator runs this as control does. Control thread of the source.
#pragma once

#include <algorithm>
#include <optional>
#include <utility>

#include "base/canary.h"
#include "control/fallback.h"
#include "control/ledger.h"
#include "control/source_state.h"
#include "control/stream_anchor.h"
#include "dataplane/source_cycle.h"
#include "dataplane/source_handshake.h"
#include "shim/binlog_event.h"
#include "shim/stream_scan.h"

namespace binlane {

struct FallbackSight {
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
  start.exposed_from = std::max(state.looked, beginning_of(state));
  start.interval_open = ledger.open_in_stream();
  start.ledger_failed = ledger.failed();
  start.server_restarted = state.unaccounted && !same_run;
  start.unrecorded = state.unaccounted && same_run;
  if (same_run && !state.unaccounted) start.counters = state.counters;
  return start;
}

// While its server or its binlogs are not fit, nobody here makes commits wait: on record from the
// last quorum on, in case the host is lost before the next incarnation can say so (S8). Nothing is
// known of a stream before the first. False when the ledger takes no line.
[[nodiscard]] inline bool expose_refused(Ledger& ledger, const SourceState& state,
                                         std::string_view problem) {
  if (state.origin.is_null() || ledger.open_in_stream()) return true;
  return ledger
      .expose(std::max(state.looked, beginning_of(state)), state.epoch, ExposureKind::server_side,
              problem)
      .has_value();
}

// A server that was restarted and that has been ON since then has let nobody go as long as none of
// its counters has moved, and without a connection of ours nothing has moved them. Then only what
// the run before may have let go is left to be recorded: nothing, where it wrote nothing after what
// was accounted for.
struct RestartProof {
  bool on_since_start = false;             // before our first connection for ACKs to this run
  std::optional<ServerCounters> counters;  // at that moment
};

template <BinlogFiles Files>
void account_for_restart(FallbackStart& start, const RestartProof& proof, const SourceState& state,
                         Files& files) {
  if (!start.server_restarted || start.exposed_from > state.run_start) return;
  const bool quiet = proof.on_since_start && proof.counters == ServerCounters{};
  if (!quiet && !canary(Canary::restart_taken_for_quiet)) return;
  const auto groups = count_groups(files, start.exposed_from, state.run_start);
  if (groups != std::uint64_t{0}) return;
  start.server_restarted = false;
  start.counters = proof.counters;
}

inline FallbackInputs fallback_inputs(const FallbackSight& sight, const StreamProof& proof,
                                      std::uint64_t now_ns) {
  const SourceMarks& marks = sight.marks;
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

// From time to time; at once when the stream can be given its first anchor, for until then nobody
// could tell another stream from it, when it has its first quorum, and when somebody else has its
// commits wait.
inline bool state_is_due(const SourceState& before, const Position& synced,
                         const SourceMarks& marks, const Fallback& fallback, std::uint64_t now_ns,
                         std::uint64_t due_ns) noexcept {
  return now_ns >= due_ns || (before.anchor.at.is_null() && can_anchor(synced)) ||
         (before.quorum.is_null() && !marks.quorum_group_at.is_null()) ||
         (!before.promised && fallback.promises());
}

// What goes on record as an incarnation ends, so that the next one is held to all that replicas
// were told. The anchor stays: the files may be others by now. And until that next one nobody looks
// at the server, which may let commits go meanwhile.
inline SourceState ended_state(const SourceState& before, const Position& synced,
                               const SourceMarks& marks) {
  SourceState next = before;
  next.unaccounted = !canary(Canary::unrecorded_forgotten);
  if (marks.epoch != before.epoch || canary(Canary::told_forgotten_at_end)) return next;
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
template <BinlogFiles Files>
SourceState grown_state(const SourceState& before, Files& files, const Position& synced,
                        const SourceMarks& marks, const Fallback& fallback) {
  SourceState next = before;
  next.synced = std::max(next.synced, synced);
  next.quorum = std::max(next.quorum, marks.quorum_group_at);
  next.unaccounted = !fallback.accounts() && !canary(Canary::unrecorded_forgotten);
  next.promised = before.promised || fallback.promises();
  if (next.synced != before.synced) next.anchor = make_anchor(files, next.synced, next.anchor);
  if (next.unaccounted) return next;
  next.looked = std::max(next.looked, fallback.exposed_from());
  if (fallback.server_counters()) next.counters = *fallback.server_counters();
  return next;
}

// `host` carries out actions (carry_out(action), true when done), puts on record that commits wait
// (promise(), true when it is), shows transitions (show(…)), has the lane know whether the server
// waits (tell_degraded(bool)), and knows the time (now_ns()).
template <class Host>
void turn_fallback(Fallback& fallback, FallbackInputs inputs, Host& host) {
  // One action a tick; a few in a row where each leads to the next.
  constexpr int kActionsPerTurn = 8;
  for (int i = 0; i < kActionsPerTurn; ++i) {
    const auto action = fallback.tick(inputs);
    inputs.poll.reset();
    if (action) {
      const bool kept = action->kind != FallbackAction::Kind::turn_on || host.promise() ||
                        canary(Canary::promise_unrecorded);
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
