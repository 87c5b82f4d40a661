#include "source_host.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/assert.h"
#include "base/canary.h"
#include "control/fallback_text.h"
#include "control/quorum_text.h"
#include "shim/stream_scan.h"

namespace binlane::sim {
namespace {

// As in SourceControl.
constexpr std::uint64_t kTurnNs = 5 * kNanosPerMilli;
constexpr std::uint64_t kPollNs = 50 * kNanosPerMilli;
constexpr std::uint64_t kStoreNs = 1 * kNanosPerSecond;
constexpr std::uint64_t kLookNs = 500 * kNanosPerMilli;
// Of the drain: its shortest back-off.
constexpr std::uint64_t kRetryNs = 100 * kNanosPerMilli;
// A look at the server's clients counts when our own connection is that old: it was looked at soon
// after its beginning.
constexpr std::uint64_t kSettledNs = AckerWatch::kSettleNs + 3 * kLookNs;

int ledger_failing = 0;  // an errno

LedgerIo ledger_io() {
  return {[](int descriptor, const void* data, std::size_t length) -> ssize_t {
            if (ledger_failing == 0) return ::write(descriptor, data, length);
            errno = ledger_failing;
            return -1;
          },
          [](int) { return 0; },
          [](int, std::uint64_t, std::uint64_t) {
            errno = ledger_failing;
            return ledger_failing == 0 ? 0 : -1;
          }};
}

}  // namespace

std::size_t Link::poll(const Position& quorum) noexcept {
  if (drain_.generation != generation_) {
    generation_ = drain_.generation;
    last_ = {};
  }
  if (!drain_.connected || paused_ || drain_.incarnation != incarnation_ || quorum <= last_)
    return 0;
  last_ = quorum;
  drain_.acks.push_back({clock_.time_ns + kSocketNs, quorum});
  if (told) told(quorum);
  return 1;
}

SourceHost::SourceHost(test::VirtualClock& clock, test::FakeNetwork& network, Random random,
                       Trace& trace, BinlogStore& binlogs, Mysqld& server,
                       SourceHostOptions options)
    : clock_(clock),
      random_(random),
      trace_(trace),
      binlogs_(binlogs),
      server_(server),
      options_(std::move(options)),
      port_(network, options_.local),
      view_(binlogs) {
  ::unlink(options_.ledger_path.c_str());
  // The daemon's first start, as whatever it was then, is long over.
  const Ledger begun(options_.ledger_path, LedgerIo::system());
  open_role();
}

SourceHost::~SourceHost() {
  kill();
  ::unlink(options_.ledger_path.c_str());
}

void SourceHost::fail_ledger(int error) {
  ledger_failing = error;
}

bool SourceHost::ledger_fails() {
  return ledger_failing != 0;
}

void SourceHost::start() {
  BL_ASSERT(!up());
  state_failed_ = false;
  state_ = {};
  if (state_bytes_) {
    const auto decoded = decode_source_state(*state_bytes_);
    BL_ASSERT(decoded.has_value());
    state_ = *decoded;
  }
  shown_state_ = state_;
  ledger_ = std::make_unique<Ledger>(options_.ledger_path, ledger_io());
  if (!state_.origin.is_null() && !ledger_->begin_stream(state_.origin))
    trace_.line(ledger_->failure());
  rule_in_force_ = options_.rule;
  port_.discard();
  queues_ = std::make_unique<SourceLaneQueues>();
  bind_lane();
  const std::uint32_t generation = drain_.generation;
  drain_ = {};
  drain_.generation = generation;
  synced_ = {};
  registration_.emplace();
  ++starts_;
  open_role();
  pauses_ = {};
  guard_ = {};
  made_read_only_ = read_only_marked_;
  read_only_until_answer_ = false;
  fencing_recorded_ = true;
  phase_ = fenced() ? Phase::fenced : Phase::looking;
  fenced_watch_ = {};
  if (fenced() && !canary(Canary::fencing_not_caught_up)) {
    fenced_from_ = std::max(state_.quorum, beginning_of(state_));
    record_fencing();
  }
  next_stream_ = {};
  server_runs_ = 0;
  run_ = 0;
  fenced_status_on_ = false;
  next_look_ns_ = next_poll_ns_ = next_store_ns_ = next_room_ns_ = 0;
  control_ns_ = clock_.time_ns;
  trace_.note("source daemon starts");
}

void SourceHost::bind_lane() {
  cycle_.reset();
  stream_ = std::make_unique<Stream>(view_);
  link_ = std::make_unique<Link>(drain_, clock_);
  link_->told = [this](Position position) {
    if (told) told(position);
  };
  cycle_ = std::make_unique<Cycle>(ports_, *stream_, *link_, clock_, *queues_,
                                   HandshakeDesk::addresses_of(options_.replicas));
}

void SourceHost::kill() {
  server_.dump_reads(0);
  if (!up()) return;
  trace_.note("source daemon killed");
  port_.crash();
  desk_.reset();
  proof_.reset();
  fallback_.reset();
  cycle_.reset();
  link_.reset();
  stream_.reset();
  queues_.reset();
  ledger_.reset();
  registration_.reset();
  leave_dump();
  new_poll_.reset();
  phase_ = Phase::looking;
}

std::size_t SourceHost::turn() {
  if (!up() || clock_.time_ns < paused_until_ns) return 0;
  const std::size_t work = cycle_->do_work();
  drain_turn();
  if (clock_.time_ns >= control_ns_) {
    control_ns_ = clock_.time_ns + 1 + random_.below(kTurnNs);
    control();
  }
  return work;
}

FallbackState SourceHost::fallback_state() const {
  return fallback_ && running() ? fallback_->state() : FallbackState::starting;
}

SourceMarks SourceHost::marks() const {
  return queues_ ? queues_->marks.load() : SourceMarks{};
}

std::vector<HandshakeDesk::ReplicaView> SourceHost::replicas() const {
  return desk_ ? desk_->view() : std::vector<HandshakeDesk::ReplicaView>{};
}

// --- as DumpDrain ---------------------------------------------------------------------------

void SourceHost::leave_dump() {
  if (drain_.connected && server_.up() && server_.run() == drain_.run) server_.end_dump();
  drain_.connected = false;
  drain_.acks.clear();
}

void SourceHost::drain_turn() {
  server_.dump_reads(0);
  while (drain_.connected && !drain_.acks.empty() && drain_.acks.front().due_ns <= clock_.time_ns) {
    server_.on_ack(drain_.acks.front().position);
    drain_.acks.pop_front();
  }
  if (drain_.connected && (!server_.up() || server_.run() != drain_.run)) {
    drain_.connected = false;
    drain_.acks.clear();
    drain_.retry_ns = clock_.time_ns + kRetryNs;
  }
  if (!drain_.connected) {
    if (!server_.up() || clock_.time_ns < drain_.retry_ns) return;
    const auto registration = registration_->ask({server_.run()});
    if (!registration) return;
    drain_.connected = true;
    ++drain_.generation;
    drain_.incarnation = registration->incarnation;
    drain_.start = registration->start;
    drain_.run = server_.run();
    drain_.resets = server_.dump_generation();
    drain_.position = {};
    drain_since_ns_ = clock_.time_ns;
    server_.register_dump(drain_.start);
  }
  // After a RESET the dump thread waits at the end of a file that is gone.
  if (drain_.resets == server_.dump_generation())
    drain_.position =
        std::max(drain_.position, server_.dump_reach(std::max(drain_.start, drain_.position)));
  server_.dump_reads(drain_.position.file);
}

// --- as SourceControl -----------------------------------------------------------------------

void SourceHost::control() {
  const std::uint64_t now_ns = clock_.time_ns;
  const std::uint64_t pause_ns = pauses_.turn(now_ns);
  if (ledger_->is_full() && now_ns >= next_room_ns_) {
    next_room_ns_ = now_ns + kStoreNs;
    if (ledger_->try_again() && fallback_) fallback_->ledger_back();
  }
  watch_terms();
  if (fenced()) return work_as_fenced();
  guard_writes(pause_ns);
  if (registration_->take_server_changed() && phase_ == Phase::running)
    end_incarnation({"the server was restarted", {}});
  if (phase_ != Phase::running) {
    if (now_ns >= next_look_ns_) look_for_server(now_ns);
    return;
  }
  take_lane_events(now_ns);
  if (phase_ != Phase::running) return;
  take_replies(now_ns);
  desk_->poll(now_ns);
  poll_server(now_ns);
  const SourceMarks marks = queues_->marks.load();
  if (marks.epoch != state_.epoch) return;
  if (marks.written_at.file != mapped_file_) refresh_proof();
  registration_->raise(marks.quorum_group_at, proof_->first().file);
  sync_ourselves(marks, now_ns);
  if (phase_ == Phase::running) synced_.tell(marks, *queues_);
  run_fallback(marks);
  lift_read_only();
  if (phase_ == Phase::running) exposures_->poll(*desk_, now_ns);
  store_state(marks, now_ns);
}

void SourceHost::look_for_server(std::uint64_t now_ns) {
  next_look_ns_ = now_ns + kLookNs;
  if (!server_.up()) {
    refuse("cannot connect to the server");
    phase_ = Phase::looking;
    return;
  }
  if (server_.sync_binlog() != 1) return refuse_unfit("sync_binlog is not 1");
  const RestartProof restart{server_.enabled_by_settings() && server_.status_on(),
                             server_.counters()};
  if (!begin_incarnation(now_ns)) return;
  FallbackStart start = fallback_start(state_, *ledger_, fresh_stream_, same_run_);
  account_for_restart(start, restart, state_, view_);
  fallback_.emplace(options_.fallback, start);
  acker_watch_ = {};
  numbers_.begin(server_.compares_names_as_text());
  numbers_.note(server_.last_listed());
  next_poll_ns_ = 0;
  ++server_runs_;
  degraded_told_ = false;
  new_poll_.reset();
  phase_ = Phase::running;
  problem_.clear();
}

bool SourceHost::begin_incarnation(std::uint64_t now_ns) {
  const FoundBinlogs found{binlogs_.first(),
                           server_.last_listed(),
                           kBasename,
                           fmt::format("run {}", server_.run()),
                           state_.server_run == fmt::format("run {}", server_.run()),
                           server_.first_file_of_run()};
  const auto sync = [this](std::uint32_t first, std::uint32_t last) {
    return sync_files(first, last);
  };
  StartFinder finder(view_, sync, found, "source.state");
  auto begin = finder.find(state_, next_stream_);
  if (!begin) {
    refuse_unfit(finder.refusal());
    return false;
  }
  same_run_ = begin->same_run;
  const bool stored = store(begin->state) == 0;
  guard_.set_unrecorded(!stored);
  if (!stored) {
    refuse("cannot store the state");
    return false;
  }
  if (!ledger_->begin_stream(state_.origin)) trace_.line(ledger_->failure());
  fresh_stream_ = begin->fresh;
  next_stream_ = {};
  run_ = server_.run();
  read_only_ = server_.read_only();

  stand_still();
  if (!begin->same_stream) {
    bind_lane();
    stand_still();
  }
  if (stream_->start(begin->start, now_ns) != 0) {
    refuse("the binlog cannot be opened");
    return false;
  }
  SourceCommand command;
  while (queues_->commands.try_pop(command)) {
  }
  cycle_->rebuild(state_.epoch, rule_in_force_);
  link_->begin_incarnation(state_.epoch.incarnation);
  proof_ = std::make_unique<FileStreamProof<BinlogView>>(view_);
  proof_->refresh(stream_->tailer().map(), stream_->written());
  queues_->pause.resume();

  desk_ = std::make_unique<HandshakeDesk>(options_.replicas, *proof_, *queues_);
  exposures_.emplace(*ledger_, *queues_, state_.origin, state_.epoch);
  exposures_->look();
  SourceHandshake::Identity identity;
  identity.cluster_id = cluster_id_of("simulated");
  identity.origin = state_.origin;
  identity.candidate = options_.host_id;
  identity.stream_term = state_.epoch.term;
  identity.epoch = state_.epoch;
  identity.source_name = options_.name;
  identity.basename = state_.basename;
  identity.rule_number = rule_in_force_.number;
  std::vector<std::string> names;
  for (const HandshakeDesk::Replica& replica : options_.replicas) names.push_back(replica.name);
  identity.rule = to_string(rule_in_force_, names);
  if (!options_.sealed_origin.is_null()) {
    identity.sealed_origin = options_.sealed_origin;
    identity.sealed_term = options_.sealed_term;
    identity.sealed_at = options_.sealed_at;
  }
  desk_->begin_incarnation(identity, begin->safe, state_.safe_marks);
  synced_.restart(state_.synced);
  ++incarnations_;
  trace_.note("incarnation begins", state_.epoch.incarnation, found.last);
  const Registration registration{registration_position(state_), state_.epoch.incarnation};
  registration_->open(registration, {run_},
                      registration.start.file < found.first || !begin->proven);
  leave_dump();
  drain_.retry_ns = 0;
  return true;
}

void SourceHost::end_incarnation(const IncarnationEnd& end) {
  trace_.line("incarnation ends: " + end.reason);
  if (end.next.anew) next_stream_ = end.next;
  if (desk_) desk_->close();
  registration_->close();
  stand_still();
  stream_->stop();
  const SourceState last = ended_state(state_, synced_.synced(), queues_->marks.load());
  if (last != state_) static_cast<void>(store(last));
  phase_ = Phase::looking;
  problem_ = end.reason;
  next_look_ns_ = 0;
}

void SourceHost::refuse(const std::string& problem) {
  if (problem != problem_) trace_.line("not a source: " + problem);
  problem_ = problem;
  phase_ = Phase::refused;
}

void SourceHost::refuse_unfit(const std::string& problem) {
  refuse(problem);
  if (!expose_refused(*ledger_, state_, problem)) trace_.line(ledger_->failure());
}

void SourceHost::stand_still() {
  queues_->pause.request();
  cycle_->do_work();
  BL_ASSERT(queues_->pause.standing());
}

// As the production function of this name, planted bug included.
SyncResult SourceHost::sync_files(std::uint32_t first, std::uint32_t last) {
  if (canary(Canary::synced_without_fdatasync)) return {};
  for (std::uint32_t number = first; number <= last; ++number) {
    if (binlogs_.has(number) && !binlogs_.file(number).purged) binlogs_.sync(number);
  }
  return {};
}

void SourceHost::take_lane_events(std::uint64_t now_ns) {
  SourceEvent event;
  for (std::size_t i = 0; i < kLaneQueue && queues_->events.try_pop(event); ++i) {
    if (event.kind == SourceEvent::Kind::stream_stopped) {
      on_stream_stopped();
      return;
    }
    trace_.note("lane event", static_cast<std::uint64_t>(event.kind), event.replica);
    desk_->on_event(event, now_ns);
  }
}

void SourceHost::on_stream_stopped() {
  stand_still();
  end_incarnation(end_of(stream_->stopped(), stream_->tailer()));
}

void SourceHost::take_replies(std::uint64_t now_ns) {
  HelloMessage message;
  for (std::size_t i = 0; i < kHelloQueue && queues_->hello_in.try_pop(message); ++i) {
    if (desk_->needs_fresh_proof(message)) refresh_proof();
    exposures_->on_reply(message);
    desk_->on_reply(message, now_ns);
  }
}

void SourceHost::refresh_proof() {
  stand_still();
  stream_->drop_purged(kLaneQueue);
  const auto& tailer = stream_->tailer();
  proof_->refresh(tailer.map(), tailer.written());
  mapped_file_ = tailer.map().current_file();
  queues_->pause.resume();
}

void SourceHost::poll_server(std::uint64_t now_ns) {
  if (now_ns < next_poll_ns_) return;
  next_poll_ns_ = now_ns + kPollNs;
  if (!server_.up()) {
    next_poll_ns_ = now_ns + kLookNs;
    return;
  }
  if (server_.run() != run_) {
    end_incarnation({"the server was restarted", {}});
    return;
  }
  ServerPoll seen;
  seen.begun_ns = now_ns;
  seen.run = server_runs_;
  synced_.confirmer().on_poll_begin(dump_position());
  synced_.confirmer().on_poll_end(server_.sync_binlog());
  looked_ns_ = now_ns;
  if (server_.sync_binlog() != 1) {
    end_incarnation({"sync_binlog was changed", {}});
    return;
  }
  seen.enabled = server_.enabled();
  seen.status_on = fenced_status_on_ = server_.status_on();
  seen.counters = server_.counters();
  const OwnAcker acker{drain_.connected, drain_.generation};
  seen.waiting = server_.waiting();
  seen.others = acker_watch_.look(now_ns, server_.clients(), acker, acker);
  looked_settled_ = drain_.connected && now_ns >= drain_since_ns_ + kSettledNs;
  numbers_.note(server_.last_listed());
  new_poll_ = seen;
}

void SourceHost::sync_ourselves(const SourceMarks& marks, std::uint64_t now_ns) {
  if (phase_ != Phase::running || !synced_.wants_sync(marks, dump_position(), now_ns)) return;
  sync_files(synced_.synced().file, marks.whole_at.file);
  synced_.synced_ourselves(marks);
}

Position SourceHost::dump_position() const {
  if (!drain_.connected || drain_.incarnation != state_.epoch.incarnation) return {};
  return drain_.position;
}

void SourceHost::run_fallback(const SourceMarks& marks) {
  if (phase_ != Phase::running || marks.written_at.is_null()) return;
  FallbackSight sight;
  sight.marks = marks;
  sight.dump = dump_position();
  sight.acker_registered = drain_.connected && drain_.incarnation == state_.epoch.incarnation;
  sight.server_reachable = server_.up() && server_.run() == run_;
  numbers_.note(marks.written_at.file);
  numbers_.note(dump_position().file);
  sight.numbering_over = numbers_.over();
  sight.poll = std::exchange(new_poll_, std::nullopt);
  struct {
    SourceHost& host;
    std::uint64_t now_ns() const { return host.clock_.time_ns; }
    bool promise() { return host.state_.promised || host.store(promised_state(host.state_)) == 0; }
    bool carry_out(const FallbackAction& action) { return host.carry_out(action); }
    void show(const FallbackTransition& transition) {
      host.trace_.line(transition_text(transition, kBasename));
    }
    void tell_degraded(bool degraded) { host.tell_degraded(degraded); }
  } host{*this};
  turn_fallback(*fallback_, fallback_inputs(sight, *proof_, clock_.time_ns), host);
}

void SourceHost::tell_degraded(bool degraded) {
  if (degraded == degraded_told_) return;
  SourceCommand command;
  command.kind = SourceCommand::Kind::set_degraded;
  command.degraded = degraded;
  command.exposure = exposures_->look();
  if (queues_->commands.try_push(command)) degraded_told_ = degraded;
}

bool SourceHost::carry_out(const FallbackAction& action) {
  switch (action.kind) {
    case FallbackAction::Kind::open_interval:
      return ledger_
          ->expose(action.position, state_.epoch, action.exposure, to_string(action.reason))
          .has_value();
    case FallbackAction::Kind::turn_off:
    case FallbackAction::Kind::turn_on:
      if (!server_.up() || server_.run() != run_) return false;
      if (action.kind == FallbackAction::Kind::turn_off && turning_off) turning_off();
      server_.set_enabled(action.kind == FallbackAction::Kind::turn_on);
      return true;
    case FallbackAction::Kind::close_intervals:
      return close_intervals(action.position);
    case FallbackAction::Kind::make_read_only:
      return make_read_only();
  }
  return false;
}

bool SourceHost::close_intervals(const Position& to) {
  return ledger_->close_all(
      to, [this](Position from, Position end) { return count_groups(view_, from, end); });
}

void SourceHost::store_state(const SourceMarks& marks, std::uint64_t now_ns) {
  if (phase_ != Phase::running) return;
  if (!state_is_due(state_, synced_.synced(), marks, *fallback_, now_ns, next_store_ns_)) return;
  next_store_ns_ = now_ns + kStoreNs;
  const SourceState next = grown_state(state_, view_, synced_.synced(), marks, *fallback_);
  if (next != state_) static_cast<void>(store(next));
}

// The contract of SourceStateFile: an error is final, and what is on record stays.
int SourceHost::store(const SourceState& next) {
  state_failed_ = state_failed_ || state_failing;
  if (state_failed_) return EIO;
  state_bytes_ = encode_source_state(next);
  state_ = next;
  shown_state_ = next;
  return 0;
}

}  // namespace binlane::sim
