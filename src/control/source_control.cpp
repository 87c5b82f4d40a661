#include "control/source_control.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "base/canary.h"
#include "base/error.h"
#include "base/log.h"
#include "base/wire_log.h"
#include "control/fallback_text.h"
#include "control/replica_side.h"
#include "control/source_settings.h"
#include "control/wall_clock.h"
#include "shim/binlog_index_tail.h"
#include "shim/stream_scan.h"

namespace binlane {
namespace {

// How often the thread looks around, the server is polled (S8: at most 100 ms), the state is
// stored, and a server that is not there or not fit is looked at again.
constexpr std::chrono::milliseconds kTurn{5};
constexpr std::uint64_t kPollNs = 50 * kNanosPerMilli;
constexpr std::uint64_t kStoreNs = 1 * kNanosPerSecond;
constexpr std::uint64_t kLookNs = 500 * kNanosPerMilli;
// Transitions that status lists.
constexpr std::size_t kTransitionsShown = 64;

ServerAccount account_of(const SourceConfig& source) {
  return {source.server_socket, source.server_user, source.server_password};
}

DumpDrainOptions drain_options(const SourceConfig& source) {
  DumpDrainOptions options;
  options.account = account_of(source);
  options.stream.server_id = static_cast<std::uint32_t>(source.acker_server_id);
  return options;
}

FallbackCounters sum(const FallbackCounters& a, const FallbackCounters& b) {
  FallbackCounters total = a;
  total.transitions += b.transitions;
  total.degrades += b.degrades;
  total.recoveries += b.recoveries;
  total.server_releases += b.server_releases;
  total.server_restarts += b.server_restarts;
  total.blocked += b.blocked;
  total.holds += b.holds;
  total.read_only_failures += b.read_only_failures;
  total.off_failures += b.off_failures;
  total.on_failures += b.on_failures;
  total.other_ackers += b.other_ackers;
  total.log_lost += b.log_lost;
  return total;
}

}  // namespace

FallbackOptions fallback_options(const SourceConfig& source) {
  FallbackOptions options;
  options.mode = source.fallback;
  options.other_ackers = source.other_ackers;
  options.timeout_ns = source.timeout_ms * kNanosPerMilli;
  options.server_timeout_ns = source.effective_server_timeout_ms() * kNanosPerMilli;
  options.recover_after_ns = source.recover_after_ms * kNanosPerMilli;
  options.recover_backoff_max_ns = source.recover_backoff_max_ms * kNanosPerMilli;
  options.caught_up_bytes = source.caught_up_bytes;
  return options;
}

std::string state_file_path(const Config& config) {
  return config.data_dir + "/source.state";
}
std::string ledger_path(const Config& config) {
  return config.data_dir + "/ledger.jsonl";
}

std::string role_file_path(const Config& config) {
  return config.data_dir + "/role.state";
}

SourceControl::SourceControl(const Config& config, SourceLane& lane,
                             std::vector<HandshakeDesk::Replica> replicas, RoleFile& role,
                             ReplicaSide* replica)
    : config_(config),
      source_(*config_.source),
      shown_config_(std::make_shared<const Config>(config)),
      lane_(lane),
      state_file_(state_file_path(config)),
      ledger_(ledger_path(config)),
      state_(state_file_.state().value_or(SourceState{})),
      role_(role),
      replica_(replica),
      poll_connection_(account_of(source_)),
      command_connection_(account_of(source_)),
      drain_(drain_options(source_),
             [this](const ServerFacts& facts) { return registration_for(facts); }),
      replicas_(std::move(replicas)),
      login_(account_of(source_)),
      read_only_setter_(account_of(source_)),
      degrade_mark_(config.data_dir),
      transitions_(std::make_shared<const std::vector<LoggedTransition>>()) {
  made_read_only_ = read_only_marked_ = std::filesystem::exists(read_only_mark_path(config_));
  // Before the first incarnation it may still be fenced, which is an exposure of that stream.
  if (!state_.origin.is_null() && !ledger_.begin_stream(state_.origin))
    log::error("ledger_failed", "{}", ledger_.failure());
  tell_replica_side();
  if (replica_ == nullptr) return;
  promoter_.emplace(config_, lane_, *replica_, role_, state_file_, drain_, command_connection_,
                    replicas_);
  lender_.emplace(config_, *replica_, lane_, drain_, replicas_);
  rejoiner_.emplace(config_, *replica_, role_, state_, ledger_, command_connection_);
}

SourceControl::~SourceControl() {
  stop();
}

void SourceControl::start() {
  // Whoever asks before the thread's first turn hears what this host is.
  if (role_.state().role == HostRole::standby) phase_ = Phase::standby;
  if (role_.state().role == HostRole::fenced) phase_ = Phase::fenced;
  publish();
  drain_.start();
  pause_watch_.start();
  thread_ = std::thread([this] { run(); });
}

void SourceControl::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (!thread_.joinable()) return;
  thread_.join();
  pause_watch_.stop();
  if (lane_.stand_still() && lane_.bound()) lane_.link().detach();
  drain_.stop();
}

void SourceControl::run() {
  const HeartbeatScope alive(heart_);
  if (promoter_ && role_.state().role == HostRole::standby) promoter_->resume();
  if (role_.state().role == HostRole::fenced && !canary(Canary::fencing_not_caught_up)) {
    fenced_from_ = std::max(state_.quorum, beginning_of(state_));
    record_fencing();
  }
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    still_alive();
    answer_questions();
    work(monotonic_ns());
    log::tell_suppressed();
    publish();
    lock.lock();
    wake_.wait_for(lock, kTurn, [this] { return stopping_; });
  }
}

void SourceControl::work(std::uint64_t now_ns) {
  login_.poll(now_ns);
  const std::uint64_t pause_ns = pause_watch_.take();
  look_for_room(now_ns);
  watch_terms();
  switch (role_.state().role) {
    case HostRole::source:
      guard_writes(pause_ns, now_ns);
      return work_as_source(now_ns);
    case HostRole::standby:
      return work_as_standby(now_ns);
    case HostRole::fenced:
      return work_as_fenced(now_ns);
  }
}

// A ledger whose disk was full is written again as soon as there is room.
void SourceControl::look_for_room(std::uint64_t now_ns) {
  if (!ledger_.is_full() || now_ns < next_room_ns_) return;
  next_room_ns_ = now_ns + kStoreNs;
  if (!ledger_.try_again()) return;
  log::info("ledger_back", "{} takes entries again", ledger_path(config_));
  if (fallback_) fallback_->ledger_back();
}

void SourceControl::work_as_source(std::uint64_t now_ns) {
  if (registration_.take_server_changed() && phase_ == Phase::running)
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
  const SourceMarks marks = lane_.queues().marks.load();
  if (marks.epoch != state_.epoch) return;  // the lane has not shown the new incarnation yet
  strangers_.look(marks.unknown_peers, marks.unknown_peer, now_ns);
  if (marks.written_at.file != mapped_file_) refresh_proof();
  follow_quorum(marks);
  sync_ourselves(marks, now_ns);
  if (phase_ == Phase::running) synced_.tell(marks, lane_.queues());
  watch_slow(marks);
  run_fallback(marks);
  settle_rule(marks);
  lift_read_only();
  if (phase_ == Phase::running) exposures_->poll(*desk_, now_ns);
  store_state(marks, now_ns);
}

void SourceControl::look_for_server(std::uint64_t now_ns) {
  next_look_ns_ = now_ns + kLookNs;
  ServerFacts facts;
  if (!connect_server(facts) || !prepare_server(facts)) return;
  const RestartProof restart = look_at_restart();
  if (!begin_incarnation(facts, now_ns)) return;
  if (fallback_) earlier_ = sum(earlier_, fallback_->counters());
  FallbackStart start = fallback_start(state_, ledger_, fresh_stream_, same_run_);
  account_for_restart(start, restart, state_, *files_);
  start.degraded = degrade_mark_.stands();
  if (start.degraded)
    log::warning("degrade", "an operator's degrade is in force still ({}): binlane resume ends it",
                 degrade_mark_.path());
  fallback_.emplace(fallback_options(source_), start);
  acker_watch_ = {};
  numbers_.begin(facts.flavour == ServerFlavour::mariadb);
  numbers_.note(facts.newest_file);
  binlog_index_ = facts.log_bin_index;
  next_poll_ns_ = 0;
  ++server_runs_;
  degraded_told_ = false;
  new_poll_.reset();
  poll_problem_.clear();
  server_watch_.forget();
  phase_ = Phase::running;
  problem_.clear();
}

bool SourceControl::connect_server(ServerFacts& facts) {
  SqlError error = poll_connection_.connect();
  if (error.ok()) error = command_connection_.connect();
  if (!error.ok()) {
    refuse(fmt::format("cannot connect to the server at {}: {}", source_.server_socket,
                       to_string(error)));
    phase_ = Phase::looking;
    return false;
  }
  ServerFactsResult result = read_server_facts(poll_connection_);
  if (!result.ok()) {
    refuse(fmt::format("cannot read the server's settings: {}", to_string(result.error)));
    return false;
  }
  facts = std::move(result.facts);
  server_version_ = facts.version;
  const SourceCheck check =
      check_source(facts, static_cast<std::uint32_t>(source_.acker_server_id));
  for (const Finding& warning : check.warnings)
    log::warning("server_setting", "{}", to_string(warning));
  if (check.accepted()) return true;
  std::string problem = "this server cannot be a source:";
  for (const Finding& refusal : check.refusals) problem += " " + to_string(refusal) + ";";
  problem.pop_back();
  refuse_unfit(problem);
  return false;
}

bool SourceControl::prepare_server(const ServerFacts& facts) {
  poller_.emplace(poll_connection_, facts.semi_sync_words, facts.flavour);
  commander_.emplace(command_connection_, facts.semi_sync_words, facts.flavour);
  const SqlError error = commander_->prepare(
      source_.wait_point, source_.effective_server_timeout_ms(), source_.timeout_ms);
  if (error.ok()) return true;
  refuse(fmt::format("cannot set up the server's semi-sync: {}", to_string(error)));
  return false;
}

void SourceControl::refuse(const std::string& problem) {
  if (problem != problem_) log::error("not_a_source", "{}", problem);
  problem_ = problem;
  phase_ = Phase::refused;
}

void SourceControl::refuse_unfit(const std::string& problem) {
  refuse(problem);
  if (!expose_refused(ledger_, state_, problem))
    log::error("ledger_failed", "{}", ledger_.failure());
}

void SourceControl::take_lane_events(std::uint64_t now_ns) {
  SourceEvent event;
  for (std::size_t i = 0; i < kLaneQueue && lane_.queues().events.try_pop(event); ++i) {
    if (event.kind == SourceEvent::Kind::stream_stopped) {
      on_stream_stopped();
      return;
    }
    desk_->on_event(event, now_ns);
  }
}

void SourceControl::on_stream_stopped() {
  if (!lane_.stand_still()) return;
  end_incarnation(end_of(lane_.stream().stopped(), lane_.stream().tailer()));
}

void SourceControl::take_replies(std::uint64_t now_ns) {
  HelloMessage message;
  for (std::size_t i = 0; i < kHelloQueue && lane_.queues().hello_in.try_pop(message); ++i) {
    if (desk_->needs_fresh_proof(message) && !refresh_proof()) continue;
    exposures_->on_reply(message);
    desk_->on_reply(message, now_ns);
  }
}

bool SourceControl::refresh_proof() {
  if (!lane_.stand_still()) return false;  // tried again in the next turn
  lane_.stream().drop_purged(kLaneQueue);
  const auto& tailer = lane_.stream().tailer();
  proof_->refresh(tailer.map(), tailer.written());
  mapped_file_ = tailer.map().current_file();
  lane_.go_on();
  return true;
}

void SourceControl::poll_server(std::uint64_t now_ns) {
  if (now_ns < next_poll_ns_) return;
  next_poll_ns_ = now_ns + kPollNs;
  ++polls_;
  if (!poll_connection_.is_connected() || !command_connection_.is_connected()) {
    // The server is gone or hung up on us. Whether it is still the same run, the drain will find
    // out.
    SqlError error = poll_connection_.connect();
    if (error.ok()) error = command_connection_.connect();
    if (!error.ok()) {
      note_failed_poll(error);
      next_poll_ns_ = now_ns + kLookNs;
      return;
    }
    if (!read_server_run(poll_connection_).is_same_as(run_)) {
      end_incarnation({"the server was restarted", {}});
      return;
    }
  }
  ServerPoll seen;
  seen.begun_ns = monotonic_ns();
  seen.run = server_runs_;
  const OwnAcker acker = own_acker();
  synced_.confirmer().on_poll_begin(dump_position());
  const SemiSyncPoll poll = poller_->poll();
  synced_.confirmer().on_poll_end(poll.ok() ? std::optional(poll.status.sync_binlog)
                                            : std::nullopt);
  if (!poll.ok()) {
    // What keeps this connection from an answer may be mended for the next one.
    poll_connection_.close();
    return note_failed_poll(poll.error);
  }
  poll_problem_.clear();
  if (poll.status.sync_binlog != 1 || poll.status.innodb_flush_log_at_trx_commit != 1) {
    end_incarnation(
        {"sync_binlog or innodb_flush_log_at_trx_commit was changed to something other than 1",
         {}});
    return;
  }
  server_status_ = poll.status;
  read_back(now_ns);
  seen.enabled = poll.status.enabled;
  seen.status_on = poll.status.status_on;
  seen.counters = {poll.status.yes_tx, poll.status.no_tx, poll.status.no_times};
  seen.waiting = poll.status.wait_sessions;
  seen.others = acker_watch_.look(now_ns, poll.status.clients, acker, own_acker());
  // The lane may have a backlog, so that the server is further on than it has read.
  numbers_.note(read_binlog_index_tail(binlog_index_).newest_file);
  new_poll_ = seen;
}

void SourceControl::sync_ourselves(const SourceMarks& marks, std::uint64_t now_ns) {
  if (phase_ != Phase::running || !synced_.wants_sync(marks, dump_position(), now_ns)) return;
  const SyncResult result = sync_files(*files_, synced_.synced().file, marks.whole_at.file);
  if (result.error == 0) return synced_.synced_ourselves(marks);
  // A server that ends removes a file that it has not listed yet.
  if (result.error == ENOENT)
    return end_incarnation({fmt::format("binlog {} is not there any more: the server is going "
                                        "down, or somebody removed it",
                                        result.file),
                            {}});
  end_incarnation(
      {fmt::format("cannot sync binlog {}: {}", result.file, errno_text(result.error)), {}});
}

bool SourceControl::send(const SourceCommand& command) {
  return lane_.queues().commands.try_push(command);
}

// What this incarnation's dump connection has brought; null before its first event.
Position SourceControl::dump_position() const {
  const DrainStatus drain = drain_.status();
  if (drain.incarnation != state_.epoch.incarnation || drain.state != DrainState::draining)
    return {};
  return drain_.dump_position();
}

void SourceControl::run_fallback(const SourceMarks& marks) {
  if (phase_ != Phase::running || marks.written_at.is_null()) return;
  const DrainStatus drain = drain_.status();
  if (drain.state == DrainState::draining && drain.connections != dump_connections_) {
    dump_connections_ = drain.connections;
    log::info("semi_sync", "Start semi-sync binlog_dump to slave (server_id: {}), pos({}, {})",
              source_.acker_server_id, binlog_file_name(state_.basename, drain.start.file),
              drain.start.offset);
  }
  FallbackSight sight;
  sight.marks = marks;
  sight.dump = dump_position();
  sight.acker_registered =
      drain.state == DrainState::draining && drain.incarnation == state_.epoch.incarnation;
  sight.server_reachable = command_connection_.is_connected();
  watch_numbers(marks);
  sight.numbering_over = numbers_.over();
  sight.poll = std::exchange(new_poll_, std::nullopt);
  struct {
    SourceControl& control;
    std::uint64_t now_ns() const { return monotonic_ns(); }
    bool promise() {
      control.store(promised_state(control.state_));
      return control.state_.promised;
    }
    bool carry_out(const FallbackAction& action) { return control.carry_out(action); }
    void show(const FallbackTransition& transition) { control.log_transition(transition); }
    void tell_degraded(bool degraded) { control.tell_degraded(degraded); }
  } host{*this};
  // The moment lies behind the one at which the lane looked.
  turn_fallback(*fallback_, fallback_inputs(sight, *proof_, monotonic_ns()), host);
  keep_degrade_mark();
}

void SourceControl::tell_degraded(bool degraded) {
  if (degraded == degraded_told_) return;
  SourceCommand command;
  command.kind = SourceCommand::Kind::set_degraded;
  command.degraded = degraded;
  command.exposure = exposures_->look();
  command.hold = source_.degraded_release == DegradedRelease::hold;
  if (send(command)) degraded_told_ = degraded;
}

bool SourceControl::carry_out(const FallbackAction& action) {
  switch (action.kind) {
    case FallbackAction::Kind::open_interval:
      return ledger_
          .expose(action.position, state_.epoch, action.exposure, to_string(action.reason))
          .has_value();
    case FallbackAction::Kind::turn_off:
    case FallbackAction::Kind::turn_on: {
      const bool on = action.kind == FallbackAction::Kind::turn_on;
      const SqlError error = commander_->set_enabled(on);
      if (!error.ok())
        log::error("semi_sync_switch_failed", "cannot switch the server's semi-sync {}: {}",
                   on ? "ON" : "OFF", to_string(error));
      if (!error.ok()) return false;
      // What status tells must not lag behind the state that this leads to.
      note_switched(server_status_, commander_->names(), on);
      next_poll_ns_ = 0;
      return true;
    }
    case FallbackAction::Kind::make_read_only:
      return make_read_only();
    case FallbackAction::Kind::close_intervals:
      return close_intervals(action.position);
  }
  return false;
}

bool SourceControl::close_intervals(const Position& to) {
  return ledger_.close_all(to, [this](Position from, Position end) {
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

void SourceControl::log_transition(const FallbackTransition& transition) {
  log::info("transition", "{}", transition_text(transition, state_.basename));
  for (const std::string& line : classic_lines(transition, state_.basename))
    log::warning("semi_sync", "{}", line);
  std::vector<LoggedTransition> all = *transitions_;
  if (all.size() == kTransitionsShown) all.erase(all.begin());
  all.push_back({transition, wall_clock_text()});
  transitions_ = std::make_shared<const std::vector<LoggedTransition>>(std::move(all));
}

void SourceControl::store_state(const SourceMarks& marks, std::uint64_t now_ns) {
  if (phase_ != Phase::running) return;
  if (!state_is_due(state_, synced_.synced(), marks, *fallback_, now_ns, next_store_ns_)) return;
  next_store_ns_ = now_ns + kStoreNs;
  store(grown_state(state_, *files_, synced_.synced(), marks, *fallback_));
}

void SourceControl::store(const SourceState& next) {
  // The file's first error is its last: nothing is gained by asking, and saying so, again and
  // again.
  if (!state_failure_.empty() || next == state_) return;
  if (const int error = state_file_.store(next); error != 0) {
    state_failure_ =
        fmt::format("cannot store {}: {}", state_file_path(config_), errno_text(error));
    // What is on record stays true, only older; a registration would begin lower.
    log::error("state_not_stored", "{}", state_failure_);
    return;
  }
  state_ = next;
}

void SourceControl::publish() {
  View view;
  view.phase = phase_;
  view.problem = problem_;
  view.write_problem = guard_problem_;
  view.role = role_.state();
  view.role_on_record = role_.on_record();
  if (promoter_) view.promotion = promoter_->view();
  if (rejoiner_) view.rejoin = rejoiner_->view();
  view.origin = state_.origin;
  view.epoch = state_.epoch;
  view.basename = state_.basename;
  view.server_version = server_version_;
  view.transitions = transitions_;
  view.config = shown_config_;
  view.rule_open = rule_open_ || (desk_ && desk_->changing_rule());
  view.rule_before = view.role.rule;
  const bool looked = phase_ == Phase::running || phase_ == Phase::fenced;
  view.read_only = made_read_only_ && looked && server_status_.read_only;
  view.newest_binlog = numbers_.newest();
  view.numbers_near_end = numbers_.near_end();
  view.slow = slow_.slow();
  view.slow_times = slow_.times();
  view.counters = earlier_;
  if (fallback_ && phase_ == Phase::running) {
    view.state = fallback_->state();
    view.blocked = fallback_->blocked();
    view.other_ackers = acker_watch_.count();
    view.held = fallback_->held_by_operator();
    view.oldest_wait_ns = fallback_->deadline().oldest_wait_ns();
    view.recover_hold_ns = fallback_->recover_hold_ns();
    view.state_since_ns = fallback_->state_since_ns();
  }
  if (fallback_) {
    view.last_transition = fallback_->last_transition();
    view.counters = sum(earlier_, fallback_->counters());
  }
  view.server = server_status_;
  view.drain = drain_.status();
  if (phase_ == Phase::running) {
    view.marks = lane_.queues().marks.load();
    if (view.marks.epoch != state_.epoch) view.marks = {};
  }
  if (desk_) view.replicas = desk_->view();
  view.ledger = ledger_.totals();
  view.ledger_failure = ledger_.failure();
  view.state_failure = state_failure_;
  if (role_.error() != 0)
    view.role_failure =
        fmt::format("cannot store {}: {}", role_file_path(config_), errno_text(role_.error()));
  view.poll_problem = poll_problem_;
  view.login_problem = login_.problem();
  if (phase_ == Phase::running) {
    view.server_differences = server_watch_.differences();
    view.read_only_problem = server_watch_.read_only_problem();
  }
  view.settings_mended = server_watch_.times_mended();
  view.incarnations = incarnations_;
  view.polls = polls_;
  view.polls_failed = polls_failed_;
  view.lane_stands = lane_.queues().pause.times();
  const std::lock_guard lock(mutex_);
  view.promotion.running = view.promotion.running || promotion_asked_ || plan_asked_;
  const bool unseen = view.role.role == HostRole::standby && view.role.rejoining;
  view.rejoin.running = rejoin_asked_.has_value() || unseen;
  if (phase_ == Phase::standby) view.replication_problem = replication_problem_;
  view.rejoin.waiting_for = rejoin_asked_ ? "the new source to speak to this host" : rejoining_for_;
  view_ = std::move(view);
}

SourceControl::View SourceControl::view() const {
  const std::lock_guard lock(mutex_);
  return view_;
}

}  // namespace binlane
