#include "control/source/source_incarnation.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/assert.h"
#include "base/error.h"
#include "base/log.h"
#include "base/wall_clock.h"
#include "control/fallback/fallback_text.h"
#include "control/source/source_pace.h"
#include "control/source/source_settings.h"
#include "control/source/source_view.h"
#include "shim/binlog/stream_scan.h"

namespace binlane {
namespace {

FallbackStart start_of(SourceParts& parts, const SourceIncarnation::Begin& begin,
                       const BinlogFolder& files) {
  const SourceState& state = parts.records.state();
  FallbackStart start = fallback_start(state, parts.records.ledger(), begin.fresh, begin.same_run);
  account_for_restart(start, begin.restart, state, files);
  account_for_end(start, begin.restart, state);
  start.degraded = parts.degrade_mark.is_set();
  if (start.degraded)
    log::warning("degrade", "an operator's degrade is still in force ({}); binlane resume ends it",
                 parts.degrade_mark.path());
  return start;
}

}  // namespace

SourceIncarnation::SourceIncarnation(SourceParts& parts, const Config& config,
                                     SourceHistory history, Begin begin)
    : parts_(parts),
      source_(*config.source),
      history_(history),
      files_(std::move(begin.files)),
      log_view_(*files_),
      sessions_(parts.replicas, log_view_, parts.lane.queues()),
      exposures_(parts.records.ledger(), parts.lane.queues(), parts.records.state().origin,
                 parts.records.state().epoch),
      rule_(std::move(begin.rule)),
      fallback_(fallback_options(source_), start_of(parts, begin, *files_)),
      read_only_(begin.read_only) {
  const SourceState& state = parts_.records.state();
  BL_ASSERT(parts_.role.state().role == HostRole::source);
  BL_ASSERT(begin.identity.epoch == state.epoch && begin.safe <= state.synced);
  const TailView tail = parts_.lane.tail();
  log_view_.refresh(tail.map, tail.written);
  parts_.lane.resume();
  exposures_.refresh();
  sessions_.begin_incarnation(begin.identity, begin.safe, state.safe_marks);
  synced_.restart(state.synced);
  numbers_.begin(begin.compares_names_as_text);
  numbers_.note(begin.newest_file);
  ++history_.totals.incarnations;
}

// Everything that is asked of the server, sent to it or put on record. Each step needs the one
// before it.
std::optional<IncarnationEnd> SourceIncarnation::turn(std::uint64_t now_ns, bool may_lift) {
  BL_ASSERT(!ended_ && parts_.role.state().role == HostRole::source);
  if (auto end = take_lane_events(now_ns)) return end;
  take_replies(now_ns);
  sessions_.poll(now_ns);
  if (auto end = poll_server(now_ns)) return end;
  const SourceMarks marks = parts_.lane.queues().marks.load();
  // The lane has not published marks of this incarnation yet.
  if (marks.epoch != parts_.records.state().epoch) return std::nullopt;
  BL_ASSERT(marks.synced <= marks.written && marks.released <= marks.written);
  history_.strangers.look(marks.unknown_peers, marks.unknown_peer, now_ns);
  if (marks.written_at.file != mapped_file_) refresh_log_view();
  if (parts_.registration.raise(marks.quorum_group_at, log_view_.first().file))
    parts_.server.dump().retry_now();
  if (auto end = sync_ourselves(marks, now_ns)) return end;
  synced_.tell(marks, parts_.lane.queues());
  watch_slow(marks);
  run_fallback(marks);
  rule_.settle(marks, parts_.lane, sessions_, now_ns);
  lift_read_only(may_lift);
  exposures_.poll(sessions_, now_ns);
  settle_waits(marks);
  store_state(marks, now_ns);
  return std::nullopt;
}

void SourceIncarnation::end() {
  BL_ASSERT(!ended_);
  ended_ = true;
  sessions_.close();
  history_.totals.fallback = sum(history_.totals.fallback, fallback_.counters());
  history_.totals.slow_times += slow_.times();
  history_.totals.settings_mended += server_watch_.times_mended();
}

std::optional<IncarnationEnd> SourceIncarnation::take_lane_events(std::uint64_t now_ns) {
  SourceEvent event;
  for (std::size_t i = 0; i < kLaneQueue && parts_.lane.queues().events.try_pop(event); ++i) {
    if (event.kind == SourceEvent::Kind::stream_stopped) {
      // If the lane does not stop in time, nobody can read why its stream has stopped, so the next
      // incarnation has to find that out when it begins.
      if (!parts_.lane.quiesce())
        return IncarnationEnd{"the source's lane did not stop within a second", {}};
      return end_of(parts_.lane.tail());
    }
    sessions_.on_event(event, now_ns);
  }
  return std::nullopt;
}

void SourceIncarnation::take_replies(std::uint64_t now_ns) {
  HelloMessage message;
  for (std::size_t i = 0; i < kHelloQueue && parts_.lane.queues().hello_in.try_pop(message); ++i) {
    if (sessions_.needs_fresh_proof(message) && !refresh_log_view()) continue;
    exposures_.on_reply(message);
    sessions_.on_reply(message, now_ns);
  }
}

bool SourceIncarnation::refresh_log_view() {
  if (!parts_.lane.quiesce()) return false;  // the next turn tries again
  parts_.lane.drop_purged(kLaneQueue);
  const TailView tail = parts_.lane.tail();
  log_view_.refresh(tail.map, tail.written);
  mapped_file_ = tail.map.current_file();
  parts_.lane.resume();
  return true;
}

std::optional<IncarnationEnd> SourceIncarnation::sync_ourselves(const SourceMarks& marks,
                                                                std::uint64_t now_ns) {
  if (!synced_.wants_sync(marks, dump_position(), now_ns)) return std::nullopt;
  const SyncResult result = sync_up_to(*files_, synced_.synced().file, marks.whole_at);
  if (result.error == 0) {
    BL_ASSERT(marks.whole_at <= marks.written_at);
    synced_.synced_ourselves(marks);
    return std::nullopt;
  }
  // While a server shuts down, it removes a file that it has not listed in its index yet.
  if (result.error == ENOENT)
    return IncarnationEnd{fmt::format("binlog {} is missing: the server is shutting down, or "
                                      "somebody removed the file",
                                      result.file),
                          {}};
  return IncarnationEnd{
      fmt::format("cannot sync binlog {}: {}", result.file, errno_text(result.error)), {}};
}

bool SourceIncarnation::registered() const {
  const DrainStatus drain = parts_.server.dump().status();
  return drain.state == DrainState::draining &&
         drain.incarnation == parts_.records.state().epoch.incarnation;
}

// The position that this incarnation's dump connection has reached; null before its first event.
Position SourceIncarnation::dump_position() const {
  return registered() ? parts_.server.dump().dump_position() : Position{};
}

void SourceIncarnation::note_registration() {
  const DrainStatus drain = parts_.server.dump().status();
  if (drain.state != DrainState::draining || drain.connections == dump_connections_) return;
  dump_connections_ = drain.connections;
  log::info("semi_sync", "Start semi-sync binlog_dump to slave (server_id: {}), pos({}, {})",
            source_.acker_server_id,
            binlog_file_name(parts_.records.state().basename, drain.start.file),
            drain.start.offset);
}

void SourceIncarnation::run_fallback(const SourceMarks& marks) {
  if (marks.written_at.is_null()) return;
  note_registration();
  FallbackObservation seen;
  seen.marks = marks;
  seen.dump = dump_position();
  seen.acker_registered = registered();
  seen.server_reachable = parts_.server.commands_connected();
  watch_numbers(marks);
  seen.numbering_over = numbers_.over();
  seen.poll = std::exchange(new_poll_, std::nullopt);
  struct {
    SourceIncarnation& source;
    std::uint64_t now_ns() const { return source.parts_.time.now_ns(); }
    bool promise() {
      const SourceState& state = source.parts_.records.state();
      return state.promised || source.parts_.records.store(promised_state(state));
    }
    bool carry_out(const FallbackAction& action) { return source.carry_out(action); }
    void show(const FallbackTransition& transition) {
      const std::string& basename = source.parts_.records.state().basename;
      log::info("transition", "{}", transition_text(transition, basename));
      for (const std::string& line : classic_lines(transition, basename))
        log::warning("semi_sync", "{}", line);
      source.history_.transitions.add({transition, wall_clock_text()});
    }
    void tell_degraded(bool degraded) { source.tell_degraded(degraded); }
  } host{*this};
  // Read the clock now: the time must not be before the moment at which the lane read its own.
  turn_fallback(fallback_, fallback_inputs(seen, log_view_, parts_.time.now_ns()), host);
}

void SourceIncarnation::tell_degraded(bool degraded) {
  if (degraded == degraded_told_) return;
  SourceLaneProxy lane = parts_.lane.proxy();
  const std::uint64_t exposure = exposures_.refresh();
  const bool hold = source_.degraded_release == DegradedRelease::hold;
  const bool told = degraded ? lane.set_degraded(exposure, hold) : lane.end_degraded();
  if (told) degraded_told_ = degraded;
}

bool SourceIncarnation::carry_out(const FallbackAction& action) {
  Ledger& ledger = parts_.records.ledger();
  switch (action.kind) {
    case FallbackAction::Kind::open_interval:
      return ledger
          .expose(action.position, parts_.records.state().epoch, action.exposure,
                  to_string(action.reason))
          .has_value();
    case FallbackAction::Kind::turn_off:
      // What is released must be on record first. A new stream's first OFF releases commits that
      // waited for ACKs of other binlogs [S16]. A FENCED source does not get here.
      BL_ASSERT(ledger.open_in_stream());
      return switch_semi_sync(false);
    case FallbackAction::Kind::turn_on:
      BL_ASSERT(parts_.records.state().promised);
      return switch_semi_sync(true);
    case FallbackAction::Kind::make_read_only:
      BL_ASSERT(source_.fallback == FallbackMode::fail);
      return parts_.read_only.stop_commits();
    case FallbackAction::Kind::close_intervals:
      return close_intervals(action.position);
  }
  return false;
}

bool SourceIncarnation::switch_semi_sync(bool on) {
  const Status done = parts_.server.set_enabled(on);
  if (!done.is_ok()) {
    log::error("semi_sync_switch_failed", "cannot switch the server's semi-sync {}: {}",
               on ? "ON" : "OFF", done.text());
    return false;
  }
  // The status must not show the old value next to the state that this leads to.
  note_switched(history_.sight.status, parts_.server.names(), on);
  poll_soon();
  return true;
}

bool SourceIncarnation::close_intervals(const Position& to) {
  return parts_.records.ledger().close_all(to, [this](Position from, Position end) {
    const auto groups = count_groups(*files_, from, end);
    if (groups)
      log::info("ledger_closed", "{} event groups from {} to {} were released without a quorum",
                *groups, to_string(from), to_string(end));
    else
      log::warning("ledger_uncounted",
                   "the event groups from {} to {} cannot be counted: their binlogs are gone or "
                   "damaged",
                   to_string(from), to_string(end));
    return groups;
  });
}

// The last step of becoming writable: only once a quorum protects what is written after it. The
// fallback's phase decides, not its state, which shows SEMISYNC while mode `fail` stops writes.
// [S12]
void SourceIncarnation::lift_read_only(bool may_lift) {
  if (!may_lift) return;
  if (!fallback_.may_take_writes() && !parts_.read_only.until_answer()) return;
  const Status lifted = parts_.read_only.lift();
  if (lifted.is_ok()) read_only_ = false;
  if (lifted.is_pending()) return;
  if (lifted.is_failed() && lift_problem_.empty()) log::error("read_only", "{}", lifted.text());
  lift_problem_ = lifted.text();
}

void SourceIncarnation::store_state(const SourceMarks& marks, std::uint64_t now_ns) {
  const SourceState& state = parts_.records.state();
  if (!state_is_due(state, synced_.synced(), marks, fallback_, now_ns, next_store_ns_)) return;
  next_store_ns_ = now_ns + kStoreNs;
  parts_.records.store(grown_state(state, *files_, synced_.synced(), marks, fallback_));
}

// FIRST skips a slow replica. ANY needs no such help, because it counts the fastest replicas
// anyway.
void SourceIncarnation::watch_slow(const SourceMarks& marks) {
  ReplicaSet connected = 0;
  std::array<std::uint64_t, kMaxReplicas> reached{};
  for (std::size_t i = 0; i < kMaxReplicas; ++i) {
    if (!marks.replicas[i].connected) continue;
    connected |= ReplicaSet{1} << i;
    reached[i] = marks.replicas[i].durable;
  }
  slow_.observe(marks.at_ns, source_.effective_slow_after_ms() * kNanosPerMilli, 0, connected,
                reached);
  if (slow_.slow() == slow_told_) return;
  if (!parts_.lane.proxy().set_slow(slow_.slow())) return;
  for (std::size_t i = 0; i < source_.replicas.size(); ++i) {
    const ReplicaSet bit = ReplicaSet{1} << i;
    if (((slow_.slow() ^ slow_told_) & bit) == 0) continue;
    if ((slow_.slow() & bit) != 0)
      log::warning(
          "replica_slow",
          "replica {} takes more than {} ms for what others already hold; a rule with FIRST skips "
          "it",
          source_.replicas[i].name, source_.effective_slow_after_ms());
    else
      log::info("replica_fast", "replica {} keeps up again", source_.replicas[i].name);
  }
  slow_told_ = slow_.slow();
}

void SourceIncarnation::watch_numbers(const SourceMarks& marks) {
  numbers_.note(marks.written_at.file);
  numbers_.note(dump_position().file);
  if (const auto number = numbers_.take_warning())
    log::warning(
        "binlog_numbers",
        "the server's newest binlog has number {}. From number {} on semi-sync is switched off for "
        "good, because MariaDB compares binlog names as text. Renumber the binlogs "
        "(docs/OPERATIONS.md, Binlog numbers)",
        *number, BinlogNumbers::kLastNumber);
}

void SourceIncarnation::show(SourceView& view) const {
  view.rule_open = rule_.open() || sessions_.changing_rule();
  view.newest_binlog = numbers_.newest();
  view.numbers_near_end = numbers_.near_end();
  view.slow = slow_.slow();
  view.last_transition = fallback_.last_transition();
  view.replicas = sessions_.view();
  if (ended_) return;
  view.slow_times += slow_.times();
  view.settings_mended += server_watch_.times_mended();
  view.counters = sum(view.counters, fallback_.counters());
  view.state = fallback_.state();
  view.blocked = fallback_.blocked();
  view.other_ackers = acker_watch_.count();
  view.held = fallback_.held_by_operator();
  view.oldest_wait_ns = fallback_.deadline().oldest_wait_ns();
  view.recover_hold_ns = fallback_.recover_hold_ns();
  view.state_since_ns = fallback_.state_since_ns();
  view.server_differences = server_watch_.differences();
  view.read_only_problem = server_watch_.read_only_problem();
  view.marks = parts_.lane.queues().marks.load();
  if (view.marks.epoch != view.epoch) view.marks = {};
  if (view.problem.empty()) view.problem = lift_problem_;
}

}  // namespace binlane
