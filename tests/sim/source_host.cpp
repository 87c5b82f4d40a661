#include "source_host.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/assert.h"
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
constexpr std::uint64_t kOwnSyncNs = 100 * kNanosPerMilli;
// Of the drain: its shortest back-off.
constexpr std::uint64_t kRetryNs = 100 * kNanosPerMilli;

bool ledger_failing = false;

LedgerIo ledger_io() {
  return {[](int descriptor, const void* data, std::size_t length) -> ssize_t {
            if (!ledger_failing) return ::write(descriptor, data, length);
            errno = EIO;
            return -1;
          },
          [](int) { return 0; }};
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
}

SourceHost::~SourceHost() {
  kill();
  ::unlink(options_.ledger_path.c_str());
}

void SourceHost::fail_ledger(bool failing) {
  ledger_failing = failing;
}

bool SourceHost::ledger_fails() {
  return ledger_failing;
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
  rule_in_force_ = options_.rule;
  port_.discard();
  queues_ = std::make_unique<SourceLaneQueues>();
  stream_ = std::make_unique<Stream>(view_);
  make_link();
  cycle_ = std::make_unique<Cycle>(ports_, *stream_, *link_, clock_, *queues_);
  const std::uint32_t generation = drain_.generation;
  drain_ = {};
  drain_.generation = generation;
  confirmer_ = {};
  phase_ = fenced_by_ == 0 ? Phase::looking : Phase::fenced;
  next_stream_ = NextStream::same;
  next_stream_file_ = 0;
  server_runs_ = 0;
  run_ = 0;
  fenced_status_on_ = false;
  next_look_ns_ = next_poll_ns_ = next_store_ns_ = next_own_sync_ns_ = 0;
  control_ns_ = clock_.time_ns;
  trace_.note("source daemon starts");
}

void SourceHost::make_link() {
  link_ = std::make_unique<Link>(drain_, clock_);
  link_->told = [this](Position position) {
    if (told) told(position);
  };
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
  drain_.connected = false;
  drain_.acks.clear();
  new_poll_.reset();
  server_changed_ = false;
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
    if (!registration_ || registration_held_ || !server_.up() || clock_.time_ns < drain_.retry_ns)
      return;
    if (server_.run() != registration_run_) {
      server_changed_ = true;
      registration_.reset();
      return;
    }
    drain_.connected = true;
    ++drain_.generation;
    drain_.incarnation = state_.epoch.incarnation;
    drain_.start = *registration_;
    drain_.run = server_.run();
    drain_.resets = server_.dump_generation();
    drain_.position = {};
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
  watch_terms();
  if (phase_ == Phase::fenced) return work_as_fenced();
  if (std::exchange(server_changed_, false) && phase_ == Phase::running)
    end_incarnation("the server was restarted", NextStream::same);
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
  follow_quorum(marks);
  sync_ourselves(marks, now_ns);
  tell_synced(marks);
  run_fallback(marks);
  lift_read_only();
  tell_exposures(now_ns);
  store_state(marks, now_ns);
}

void SourceHost::look_for_server(std::uint64_t now_ns) {
  next_look_ns_ = now_ns + kLookNs;
  if (!server_.up()) {
    refuse("cannot connect to the server");
    phase_ = Phase::looking;
    return;
  }
  if (server_.sync_binlog() != 1) return refuse("sync_binlog is not 1");
  if (!begin_incarnation(now_ns)) return;
  FallbackStart start;
  start.fresh = fresh_stream_;
  start.exposed_from =
      std::max(state_.looked, Position{state_.stream_start.file, kBinlogMagicSize});
  start.interval_open = !ledger_->open_intervals().empty();
  start.server_restarted = !fresh_stream_ && !same_run_;
  if (same_run_) start.counters = state_.counters;
  fallback_.emplace(options_.fallback, start);
  next_poll_ns_ = 0;
  ++server_runs_;
  degraded_told_ = false;
  new_poll_.reset();
  phase_ = Phase::running;
  problem_.clear();
}

bool SourceHost::begin_incarnation(std::uint64_t now_ns) {
  SourceState next = state_;
  if (!settle_stream(next)) return false;
  const bool same_stream = state_.origin == next.origin;
  const bool begun = state_.epoch.incarnation > 0;
  bool proven = true;
  if (same_stream && !prove_stream(next, proven)) return false;
  const std::uint32_t last = binlogs_.last();
  const std::uint32_t first = std::max(binlogs_.first(), next.stream_start.file);
  sync_files(std::max(first, next.synced.file), last);
  const Position synced{last, binlogs_.file(last).data.size()};
  if (synced < next.synced) {
    refuse(fmt::format("the binlog ends at {}, but was synced up to {} before", to_string(synced),
                       to_string(next.synced)));
    return false;
  }
  StreamStart start;
  const ScanResult scan = scan_stream(view_, first, last, start);
  if (!scan.ok()) {
    refuse(fmt::format("binlog {} cannot be read", scan.file));
    return false;
  }
  next.synced = std::max(next.synced, std::min(synced, start.tracker.last_group_end()));
  next.anchor = make_anchor(view_, next.synced, next.anchor);
  next.basename = kBasename;
  next.epoch.incarnation += 1;
  same_run_ = next.server_run == fmt::format("run {}", server_.run());
  next.server_run = fmt::format("run {}", server_.run());
  next.run_start = {server_.first_file_of_run(), kBinlogMagicSize};
  const Position safe = same_stream ? std::min(state_.synced, state_.quorum) : Position{};
  remember_safe_mark(next.safe_marks, {next.epoch, safe});
  if (store(next) != 0) {
    refuse("cannot store the state");
    return false;
  }
  if (!ledger_->begin_stream(state_.origin)) trace_.line(ledger_->failure());
  fresh_stream_ = !same_stream || !begun;
  next_stream_ = NextStream::same;
  next_stream_file_ = 0;
  run_ = server_.run();
  read_only_ = server_.read_only();

  stand_still();
  if (!same_stream) {  // the lane is bound anew
    cycle_.reset();
    stream_ = std::make_unique<Stream>(view_);
    make_link();
    cycle_ = std::make_unique<Cycle>(ports_, *stream_, *link_, clock_, *queues_);
    stand_still();
  }
  if (stream_->start(start, now_ns) != 0) {
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
  exposures_.emplace(state_.origin, state_.epoch);
  look_at_ledger();
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
  desk_->begin_incarnation(identity, safe, state_.safe_marks);
  confirmer_.restart(state_.synced);
  synced_told_ = {};
  ++incarnations_;
  trace_.note("incarnation begins", state_.epoch.incarnation, synced.file, synced.offset);
  registration_ = registration_position(state_);
  registration_held_ = registration_->file < binlogs_.first() || !proven;
  registration_run_ = run_;
  server_changed_ = false;
  drain_.connected = false;
  drain_.acks.clear();
  drain_.retry_ns = 0;
  return true;
}

bool SourceHost::settle_stream(SourceState& next) {
  const bool first_time = next.origin.is_null();
  if (!first_time && next_stream_ == NextStream::same) {
    if (binlogs_.last() >= next.synced.file) return true;
    refuse(fmt::format("the newest binlog is number {}, but number {} was synced before",
                       binlogs_.last(), next.synced.file));
    return false;
  }
  const Epoch epoch = next.epoch;
  next = {};
  next.origin = Uuid::random();
  next.epoch = {std::max<std::uint32_t>(epoch.term, 1), epoch.incarnation};
  next.stream_start = {next_stream_file_ == 0 ? binlogs_.first() : next_stream_file_, 0};
  trace_.note("new stream", next.stream_start.file);
  return true;
}

bool SourceHost::prove_stream(SourceState& next, bool& proven) {
  switch (check_anchor(view_, next.anchor)) {
    case AnchorCheck::none:
    case AnchorCheck::same:
      return true;
    case AnchorCheck::gone:
      proven = false;
      next.quorum = {};
      next.anchor = {};
      return true;
    case AnchorCheck::failed:
      refuse("the anchor cannot be read");
      return false;
    case AnchorCheck::differs:
      break;
  }
  refuse("the binlogs do not hold what was synced before");
  return false;
}

void SourceHost::end_incarnation(const std::string& reason, NextStream next) {
  trace_.line("incarnation ends: " + reason);
  if (next == NextStream::anew) next_stream_ = NextStream::anew;
  if (desk_) desk_->close();
  registration_.reset();
  stand_still();
  stream_->stop();
  phase_ = Phase::looking;
  problem_ = reason;
  next_look_ns_ = 0;
}

void SourceHost::refuse(const std::string& problem) {
  if (problem != problem_) trace_.line("not a source: " + problem);
  problem_ = problem;
  phase_ = Phase::refused;
}

void SourceHost::stand_still() {
  queues_->pause.request();
  cycle_->do_work();
  BL_ASSERT(queues_->pause.standing());
}

void SourceHost::sync_files(std::uint32_t first, std::uint32_t last) {
  for (std::uint32_t number = first; number <= last; ++number) {
    if (binlogs_.has(number) && !binlogs_.file(number).purged) binlogs_.sync(number);
  }
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
  const TailEvent why = stream_->stopped();
  const std::uint32_t file = stream_->tailer().map().current_file();
  trace_.note("stream stopped", static_cast<std::uint64_t>(why), file);
  switch (why) {
    case TailEvent::server_restarted:
      end_incarnation("the server was restarted", NextStream::same);
      break;
    case TailEvent::shrunk:
      end_incarnation("the binlog became shorter", NextStream::same);
      break;
    case TailEvent::reset:
      end_incarnation("the server's binlogs were reset", NextStream::anew);
      break;
    case TailEvent::gap:
      next_stream_file_ = file;
      end_incarnation("the binlog does not go on", NextStream::anew);
      break;
    default:
      end_incarnation("the binlog cannot be followed", NextStream::same);
  }
}

void SourceHost::take_replies(std::uint64_t now_ns) {
  HelloMessage message;
  for (std::size_t i = 0; i < kHelloQueue && queues_->hello_in.try_pop(message); ++i) {
    if (HandshakeDesk::needs_fresh_proof(message)) refresh_proof();
    take_exposed_ack(message);
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

std::uint64_t SourceHost::look_at_ledger() {
  return exposures_->update(exposures_of(*ledger_, state_.origin), ledger_->totals().entries);
}

void SourceHost::take_exposed_ack(const HelloMessage& message) {
  FrameView frame;
  SourceCommand command;
  command.kind = SourceCommand::Kind::set_exposure_known;
  if (decode(message.frame(), frame) != FrameFault::none ||
      !exposures_->on_reply(frame, command.replica, command.exposure))
    return;
  command.session_id = frame.header.session_id;
  if (!queues_->commands.try_push(command)) exposures_->forget(command.replica);
}

void SourceHost::tell_exposures(std::uint64_t now_ns) {
  if (phase_ != Phase::running) return;
  look_at_ledger();
  for (std::uint32_t i = 0; i < desk_->size(); ++i) {
    const HandshakeDesk::Replica& replica = desk_->replica(i);
    exposures_->on_session(i, desk_->session_of(i), replica.port, replica.address);
  }
  HelloMessage message;
  for (std::size_t i = 0; i < kMaxReplicas && exposures_->poll(now_ns, message); ++i)
    static_cast<void>(queues_->hello_out.try_push(message));  // a full queue loses it
}

void SourceHost::poll_server(std::uint64_t now_ns) {
  if (now_ns < next_poll_ns_) return;
  next_poll_ns_ = now_ns + kPollNs;
  if (!server_.up()) {
    next_poll_ns_ = now_ns + kLookNs;
    return;
  }
  if (server_.run() != run_) {
    end_incarnation("the server was restarted", NextStream::same);
    return;
  }
  ServerPoll seen;
  seen.begun_ns = now_ns;
  seen.run = server_runs_;
  confirmer_.on_poll_begin(dump_position());
  confirmer_.on_poll_end(server_.sync_binlog());
  looked_ns_ = now_ns;
  if (server_.sync_binlog() != 1) {
    end_incarnation("sync_binlog was changed", NextStream::same);
    return;
  }
  seen.enabled = server_.enabled();
  seen.status_on = server_.status_on();
  seen.counters = server_.counters();
  new_poll_ = seen;
}

void SourceHost::follow_quorum(const SourceMarks& marks) {
  if (!registration_ || marks.quorum_group_at <= *registration_) return;
  registration_ = marks.quorum_group_at;
  if (registration_->file >= proof_->first().file) registration_held_ = false;
}

void SourceHost::sync_ourselves(const SourceMarks& marks, std::uint64_t now_ns) {
  if (phase_ != Phase::running || marks.whole_at.is_null()) return;
  const bool untold = dump_position().is_null() && confirmer_.synced() < marks.whole_at &&
                      now_ns >= next_own_sync_ns_;
  if (!untold && !confirmer_.needs_own_sync()) return;
  next_own_sync_ns_ = now_ns + kOwnSyncNs;
  if (!confirmer_.own_sync_begin()) return;
  sync_files(confirmer_.synced().file, marks.whole_at.file);
  confirmer_.on_own_sync(marks.whole_at);
}

void SourceHost::tell_synced(const SourceMarks& marks) {
  if (phase_ != Phase::running) return;
  const Position synced = confirmer_.synced();
  if (synced == synced_told_ && marks.synced_at >= synced) return;
  SourceCommand command;
  command.kind = SourceCommand::Kind::set_synced;
  command.synced = synced;
  if (queues_->commands.try_push(command)) synced_told_ = synced;
}

Position SourceHost::dump_position() const {
  if (!drain_.connected || drain_.incarnation != state_.epoch.incarnation) return {};
  return drain_.position;
}

FallbackMark SourceHost::mark_of(const Position& position, const SourceMarks& marks) const {
  if (position.is_null()) return {};
  const auto linear = proof_->linear_of(position);
  return {linear ? std::min(*linear, marks.written) : marks.written, position};
}

void SourceHost::run_fallback(const SourceMarks& marks) {
  if (phase_ != Phase::running || marks.written_at.is_null()) return;
  const bool registered = drain_.connected && drain_.incarnation == state_.epoch.incarnation;
  FallbackInputs inputs;
  inputs.now_ns = clock_.time_ns;
  inputs.sampled_ns = marks.at_ns;
  inputs.all_read_ns = marks.all_read_ns;
  inputs.dump = mark_of(dump_position(), marks);
  inputs.written = {marks.written, marks.written_at};
  inputs.quorum = {marks.quorum, marks.quorum_at};
  inputs.quorum_connected = marks.satisfiable;
  inputs.acker_registered = registered;
  inputs.server_reachable = server_.up() && server_.run() == run_;
  inputs.poll = std::exchange(new_poll_, std::nullopt);
  constexpr int kActionsPerTurn = 8;
  for (int i = 0; i < kActionsPerTurn; ++i) {
    const auto action = fallback_->tick(inputs);
    inputs.poll.reset();
    if (action) fallback_->complete(carry_out(*action), clock_.time_ns);
    while (const auto transition = fallback_->pop_transition())
      trace_.line(transition_text(*transition, kBasename));
    if (fallback_->degraded() != degraded_told_) {
      SourceCommand command;
      command.kind = SourceCommand::Kind::set_degraded;
      command.degraded = fallback_->degraded();
      command.exposure = look_at_ledger();
      if (queues_->commands.try_push(command)) degraded_told_ = command.degraded;
    }
    if (!action) break;
  }
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
  return ledger_->close_all(to, [this](Position from, Position end) {
    return count_groups(view_, from, end).value_or(0);
  });
}

void SourceHost::store_state(const SourceMarks& marks, std::uint64_t now_ns) {
  if (phase_ != Phase::running || now_ns < next_store_ns_) return;
  next_store_ns_ = now_ns + kStoreNs;
  SourceState next = state_;
  next.synced = std::max(next.synced, confirmer_.synced());
  next.quorum = std::max(next.quorum, marks.quorum_group_at);
  next.looked = std::max(next.looked, fallback_->exposed_from());
  if (next.synced != state_.synced) next.anchor = make_anchor(view_, next.synced, next.anchor);
  if (fallback_->server_counters()) next.counters = *fallback_->server_counters();
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
