#include "control/source/role_controller.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mutant.h"
#include "control/replica/replica_side.h"
#include "control/source/source_pace.h"
#include "control/source/source_settings.h"

namespace binlane {
namespace {

// Finding damage takes reading whole files, and it does not go away within half a second.
constexpr std::uint64_t kDamagedLookNs = 5 * kNanosPerSecond;

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

RoleController::RoleController(const Config& config, SourceParts& parts,
                               const std::optional<Beside>& beside)
    : config_(config),
      shown_config_(std::make_shared<const Config>(config)),
      parts_(parts),
      replica_(beside ? &beside->replica : nullptr),
      stopped_(beside ? &beside->stopped : nullptr),
      starter_(parts, config_, {sight_, totals_, transitions_, strangers_}),
      writes_(parts),
      standby_(parts.server),
      degrade_mark_(parts.degrade_mark) {
  tell_replica_side();
  if (!beside) return;
  BL_ASSERT(config_.replica.has_value());
  promoter_.emplace(config_, parts_.lane, parts_.folders, parts_.time, *replica_, parts_.role,
                    parts_.records.file(), beside->server, parts_.replicas);
  donor_.emplace(config_, *replica_, parts_.lane, parts_.folders, parts_.time, parts_.replicas);
  rejoiner_.emplace(config_, parts_.folders, *replica_, parts_.role, parts_.records.state(),
                    parts_.records.ledger(), beside->server, beside->stopped);
  fitness_.emplace(beside->server);
}

void RoleController::begin() {
  if (promoter_ && role() == HostRole::standby) promoter_->resume();
  if (role() == HostRole::fenced) fenced_.emplace(parts_, sight_);
  if (BL_MUTANT(fencing_not_caught_up, false, fenced_.has_value())) fenced_->record_exposure();
}

void RoleController::turn(std::uint64_t now_ns, std::uint64_t pause_ns) {
  parts_.server.try_login(now_ns);
  if (parts_.records.find_room(now_ns) && incarnation_ && !incarnation_->ended())
    incarnation_->fallback().ledger_back();
  watch_terms();
  // What belongs to one role exists in that role only.
  BL_ASSERT(fenced_.has_value() == (role() == HostRole::fenced));
  BL_ASSERT(running() == nullptr || role() == HostRole::source);
  switch (role()) {
    case HostRole::source: {
      const bool found = incarnation_ && incarnation_->found_read_only();
      if (writes_.suspended(pause_ns, running(), found))
        end_incarnation({writes_.guard().reason(), {}});
      writes_.turn(now_ns, running());
      return work_as_source(now_ns);
    }
    case HostRole::standby:
      return work_as_standby(now_ns);
    case HostRole::fenced:
      return work_as_fenced(now_ns);
  }
}

// A later term shows in what a replica has promised, or in another host's HELLO that asks to be our
// source.
void RoleController::watch_terms() {
  const SourceState& state = parts_.records.state();
  if (role() != HostRole::source || state.origin.is_null()) return;
  std::uint32_t term = incarnation_ ? incarnation_->sessions().deposed_by() : 0;
  if (replica_ != nullptr) term = std::max(term, replica_->control().deposed_by());
  if (term > state.epoch.term)
    fence_source({term, fmt::format("term {} has begun elsewhere", term)});
}

// Only a standby may serve another source. A source and a FENCED host refuse all.
void RoleController::tell_replica_side() {
  if (replica_ == nullptr) return;
  replica_->control().tell_source_alive(role() == HostRole::source ? config_.name : std::string());
  switch (role()) {
    case HostRole::standby:
      replica_->control().refuse_all({});
      break;
    case HostRole::source:
      replica_->control().refuse_all("this host is a source itself");
      break;
    case HostRole::fenced:
      replica_->control().refuse_all(
          "this host was the source before, and has not rejoined (binlane rejoin)");
      break;
  }
}

void RoleController::work_as_source(std::uint64_t now_ns) {
  if (parts_.registration.take_server_changed() && running() != nullptr)
    end_incarnation({"the server was restarted", {}});
  SourceIncarnation* const running_now = running();
  if (running_now == nullptr) {
    if (now_ns >= next_look_ns_) begin_incarnation(now_ns);
    return;
  }
  const bool ours = (running_now->found_read_only() && config_.replica) || parts_.read_only.made();
  if (const auto end = running_now->turn(now_ns, ours && !writes_.guard().closed()))
    end_incarnation(*end);
  end_degrade_mark(now_ns);
}

// Somebody who switches semi-sync ON at the server ends the operator's degrade.
void RoleController::end_degrade_mark(std::uint64_t now_ns) {
  if (running() == nullptr || running()->fallback().degraded_by_operator()) return;
  if (degrade_mark_.remove(now_ns))
    log::info("degrade", "the degrade has ended, because semi-sync was switched on at the server");
}

void RoleController::begin_incarnation(std::uint64_t now_ns) {
  using Kind = IncarnationStarter::Refusal::Kind;
  BL_ASSERT(role() == HostRole::source && running() == nullptr);
  next_look_ns_ = now_ns + kServerRetryNs;
  const Epoch before = parts_.records.state().epoch;
  std::unique_ptr<SourceIncarnation> begun = starter_.begin(now_ns);
  BL_ASSERT(parts_.records.state().epoch >= before);
  if (begun) {
    incarnation_ = std::move(begun);
    writes_.guard().set_unrecorded(false);
    sight_.poll_problem.clear();
    refused_ = false;
    problem_.clear();
    return;
  }
  const IncarnationStarter::Refusal& refusal = starter_.refusal();
  // While no incarnation runs, nobody watches what the server releases, so it must not take writes
  // if that cannot be recorded. [S18]
  if (refusal.unrecorded) writes_.guard().set_unrecorded(true);
  if (refusal.problem != problem_) log::error("not_a_source", "{}", refusal.problem);
  problem_ = refusal.problem;
  refused_ = refusal.kind != Kind::unreachable;
  if (refusal.kind == Kind::unfit) parts_.records.expose_refused(refusal.problem);
  if (refusal.damaged) next_look_ns_ = now_ns + kDamagedLookNs;
}

void RoleController::end_incarnation(const IncarnationEnd& end) {
  BL_ASSERT(running() != nullptr);
  log::warning("incarnation_ends", "{}", end.reason);
  starter_.set_next(end.next);
  incarnation_->end();
  parts_.registration.close();
  LaneHandle& lane = parts_.lane;
  if (lane.quiesce() && lane.bound()) {
    lane.detach_server();
    lane.stop_stream();
  }
  parts_.records.store(ended_state(parts_.records.state(), incarnation_->synced(),
                                   lane.queues().marks.load(), incarnation_->fallback()));
  start_over();
  problem_ = end.reason;
  BL_ASSERT(running() == nullptr);
}

void RoleController::start_over() {
  refused_ = false;
  problem_.clear();
  sight_.poll_problem.clear();
  if (fitness_) fitness_->start_over();
  next_look_ns_ = 0;
}

SourcePhase RoleController::phase() const {
  switch (role()) {
    case HostRole::standby:
      return promoter_ && promoter_->running() && !promoter_->only_looking()
                 ? SourcePhase::promoting
                 : SourcePhase::standby;
    case HostRole::fenced:
      return SourcePhase::fenced;
    case HostRole::source:
      break;
  }
  if (running() != nullptr) return SourcePhase::running;
  return refused_ ? SourcePhase::refused : SourcePhase::looking;
}

void RoleController::show(SourceView& view) const {
  const SourceState& state = parts_.records.state();
  view.phase = phase();
  view.problem = problem_;
  view.write_problem = writes_.problem();
  view.role = parts_.role.state();
  view.role_on_record = parts_.role.on_record();
  if (promoter_) view.promotion = promoter_->view();
  if (rejoiner_) view.rejoin = rejoiner_->view();
  const bool unseen = view.role.role == HostRole::standby && view.role.rejoining;
  view.rejoin.running = wanted_rejoin_.has_value() || (unseen && view.rejoin.refusal.empty());
  view.rejoin.waiting_for = wanted_rejoin_ ? "the new source to contact this host" : rejoining_for_;
  view.origin = state.origin;
  view.epoch = state.epoch;
  view.basename = state.basename;
  view.server_version = sight_.version;
  view.transitions = transitions_.list();
  view.config = shown_config_;
  view.rule_before = view.role.rule;
  const bool polled = view.phase == SourcePhase::running || view.phase == SourcePhase::fenced;
  view.read_only = parts_.read_only.made() && polled && sight_.status.read_only;
  view.slow_times = totals_.slow_times;
  view.settings_mended = totals_.settings_mended;
  view.counters = totals_.fallback;
  if (incarnation_) incarnation_->show(view);
  view.server = sight_.status;
  view.drain = parts_.server.dump().status();
  view.ledger = parts_.records.ledger().totals();
  view.ledger_failure = parts_.records.ledger().failure();
  view.state_failure = parts_.records.failure();
  if (parts_.role.error() != 0)
    view.role_failure =
        fmt::format("cannot store {}: {}", parts_.role.path(), errno_text(parts_.role.error()));
  view.poll_problem = sight_.poll_problem;
  view.server_down = sight_.server_down && !sight_.poll_problem.empty();
  view.login_problem = parts_.server.login_problem();
  if (view.phase == SourcePhase::standby) view.replication_problem = standby_.replication_problem();
  if (view.phase == SourcePhase::standby && fitness_) view.unfit = fitness_->problem();
  view.incarnations = totals_.incarnations;
  view.polls = sight_.polls;
  view.polls_failed = sight_.polls_failed;
  view.lane_stands = parts_.lane.queues().pause.times();
  view.binlog = parts_.lane.counters();
  show_headless_binlog(view);
  const auto full = parts_.lane.queues().times_full();
  view.queues.assign(full.begin(), full.end());
  view.queues.push_back({"source_acks_wanted", view.drain.queue_full});
}

void RoleController::show_headless_binlog(SourceView& view) const {
  const HeadWait& wait = view.binlog.tail.head_wait;
  const std::uint64_t now_ns = parts_.time.now_ns();
  if (!wait.is_long(now_ns)) return;
  view.headless_binlog = binlog_file_name(view.basename, wait.file);
  view.headless_ns = now_ns - wait.since_ns;
}

}  // namespace binlane
