// RoleController, the part that fences: a source because of a later term or for an operator, and a
// standby's log for an operator (`binlane fence`).
//
// A fence never opens by itself. After a later term only a rejoin ends it. [S1] An operator's fence
// may be lifted as long as no later term has begun: the host continues with the next incarnation of
// its own term, as after a restart, and replicas that have promised a later term meanwhile refuse
// it.

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mutant.h"
#include "control/failover/candidate_log.h"
#include "control/failover/promotion_plan.h"
#include "control/replica/replica_side.h"
#include "control/source/fence_words.h"
#include "control/source/role_controller.h"
#include "control/source/source_pace.h"

namespace binlane {

// From here on nothing of the older term may complete a quorum [I3], and this host never becomes a
// candidate by itself [S1]. None of that waits for a disk [S18].
void RoleController::fence_source(const FenceCause& cause) {
  BL_ASSERT(role() == HostRole::source && !fenced_);
  const SourceState& state = parts_.records.state();
  const SourceMarks marks = parts_.lane.queues().marks.load();
  const Position shown = marks.epoch == state.epoch ? marks.quorum_group_at : Position{};
  const Position from = std::max({state.quorum, shown, beginning_of(state)});
  // What the ledger still lacks began earlier, and a quorum that came later does not undo it. [I4]
  // An incarnation that has ended says nothing of what the server did after it.
  const bool accounted = running() ? running()->fallback().accounts() : !state.unaccounted;
  const Position exposed =
      BL_MUTANT(fence_forgets_unrecorded, from, accounted ? from : exposed_since(state));
  const bool seen = incarnation_ && incarnation_->fallback().server_counters();
  const ServerCounters known = seen ? *incarnation_->fallback().server_counters() : state.counters;
  fenced_.emplace(parts_, sight_, exposed, known, sight_.status.status_on);
  struct {
    RoleController& control;
    void ask_read_only() { control.parts_.read_only.ask(); }
    void end_incarnation(const std::string& reason) {
      if (control.running() != nullptr) control.end_incarnation({reason, {}});
    }
    // The server itself will release the commits that wait, when its own timeout ends. [S8]
    void record_fencing() { control.fenced_->record_exposure(); }
  } host{*this};
  const bool on_record = binlane::fence_source(parts_.role, cause, host);
  if (role() != HostRole::fenced) fenced_.reset();
  log::error("fenced",
             "this host is FENCED: {}. Commits after {} have no quorum. Once another host is the "
             "source, binlane rejoin makes this host its replica",
             cause.reason, to_string(from));
  if (!on_record) log::error("role_not_stored", "{}", fence_not_on_record());
  parts_.read_only.leave_mark();
  parts_.read_only.forget_server();
  tell_replica_side();
}

std::string RoleController::fence_not_on_record() const {
  return fmt::format(
      "fenced, not on record: cannot store {}: {}. binlaned tries again every second; until that "
      "succeeds, a restart of binlaned would forget the fence",
      parts_.role.path(), errno_text(parts_.role.error()));
}

void RoleController::work_as_fenced(std::uint64_t now_ns) {
  BL_ASSERT(fenced_.has_value());
  fenced_->turn(now_ns, config_.source->timeout_ms);
  if (work_on_rejoin(now_ns) || now_ns < next_look_ns_) return;
  next_look_ns_ = now_ns + kServerRetryNs;
  if (rejoiner_ && parts_.role.state().cut.under_way()) {
    problem_ = rejoiner_->finish_cut().text();
    if (!problem_.empty()) return;
  }
  parts_.read_only.leave_mark();
  problem_ = parts_.read_only.keep().text();
  if (parts_.role.on_record()) return;
  problem_ = fence_not_on_record() + (problem_.empty() ? "" : "; " + problem_);
}

Result<std::vector<std::string>> RoleController::fence(const std::string& reason,
                                                       bool kill_server) {
  if (role() != HostRole::standby) return fence_own_source(reason, kill_server);
  if (kill_server)
    return Status::failed("this host is a standby, so no commit waits for a quorum at its server");
  return fence_standby();
}

Result<std::vector<std::string>> RoleController::fence_own_source(const std::string& reason,
                                                                  bool kill_server) {
  const bool fenced = role() == HostRole::fenced;
  if (fenced && !kill_server)
    return Status::failed("this host is FENCED already: " + parts_.role.state().fence_reason);
  const ServerLife life = parts_.server.life(sight_.run);
  // A fence does not reach the clients of commits that wait already. [S20]
  std::string clients = waiting_clients_text(life, sight_.status.wait_sessions,
                                             config_.source->effective_server_timeout_ms());
  if (kill_server) {
    // Before anything else: an ACK that came in between would tell one more client OK.
    Result<std::string> killed = this->kill_server(reason);
    if (!killed.is_ok()) return killed.status();
    clients = std::move(killed.value());
  }
  if (!fenced) fence_source({0, "an operator fenced it: " + reason});
  std::vector<std::string> report = {
      "this host is FENCED: it completes no quorum any more" +
          (kill_server ? std::string() : fenced_server_text(life)),
      clients,
      "to end the fence: binlane promote on another host, then binlane rejoin on this one; or, if "
      "no other host was promoted, binlane fence --lift on this one"};
  if (!parts_.role.on_record()) report.push_back(fence_not_on_record());
  return report;
}

// Returns what the clients of the killed server were told.
Result<std::string> RoleController::kill_server(const std::string& reason) {
  const Result<KilledServer> killed = parts_.server.kill(sight_.run);
  if (!killed.is_ok())
    return Status::failed(fmt::format(
        "nothing was done: {} (binlane fence without --kill-server fences this host and "
        "leaves its server running)",
        killed.status().text()));
  const std::string told = killed_server_text(killed.value());
  log::error("server_killed", "an operator asked to kill the server ({}): {}", reason, told);
  return told;
}

Result<std::vector<std::string>> RoleController::fence_standby() {
  if (replica_ == nullptr)
    return Status::failed("this host has no [replica] section, so there is no promise to make");
  if (promoter_->running()) return Status::failed("this host's promotion is in progress");
  const Result<std::uint32_t> term = fence_for_nobody(*replica_);
  if (!term.is_ok()) return term.status();
  return fence_report(log_at_a_glance(config_.name, *replica_), term.value());
}

Status RoleController::lift_fence() {
  RoleState role_state = parts_.role.state();
  if (role() != HostRole::fenced) return Status::failed("this host is not FENCED");
  const std::uint32_t heard = replica_ == nullptr ? 0 : replica_->control().deposed_by();
  const std::uint32_t later = std::max(role_state.fenced_by, heard);
  if (later > parts_.records.state().epoch.term)
    return Status::failed(
        fmt::format("term {} has begun elsewhere, so only binlane rejoin ends this fence", later));
  role_state.role = HostRole::source;
  role_state.fence_reason.clear();
  if (const int error = parts_.role.store(role_state); error != 0)
    return Status::failed(
        fmt::format("cannot store {}: {}", parts_.role.path(), errno_text(error)));
  log::warning("fence_lifted", "an operator lifted the fence: this host is the source again");
  fenced_.reset();
  start_over();
  tell_replica_side();
  return Status::ok();
}

}  // namespace binlane
