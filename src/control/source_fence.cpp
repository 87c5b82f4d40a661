// SourceControl, the part that fences: a source by a later term or by an operator, a standby's log
// by an operator (`binlane fence`).
//
// A fence never opens by itself. What a later term closed, only a rejoin leads out of (S1). What an
// operator closed may be lifted as long as no later term has begun: the host goes on in the next
// incarnation of its own term, as after a restart, and replicas that have promised a later one
// meanwhile refuse it.

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "control/own_log.h"
#include "control/promotion_plan.h"
#include "control/replica_side.h"
#include "control/source_control.h"

namespace binlane {

// Nothing of the older term may complete a quorum any more, whatever happens from here on (I3), and
// this host never bids again by itself (S1). False: it is a source still.
bool SourceControl::fence(const FenceCause& cause) {
  const SourceMarks marks = lane_.queues().marks.load();
  const Position shown = marks.epoch == state_.epoch ? marks.quorum_group_at : Position{};
  const Position quorum = std::max({state_.quorum, shown, beginning_of(state_)});
  end_incarnation({cause.reason, {}});
  RoleState role = role_.state();
  role.role = HostRole::fenced;
  role.fenced_by = cause.term;
  role.fence_reason = cause.reason;
  if (const int error = role_.store(role); error != 0) {
    // It stays a source by its record, and begins anew.
    log::error("role_not_stored", "cannot store {}: {}", role_file_path(config_),
               errno_text(error));
    return false;
  }
  // What the server's clients still wait for it will release by itself, at its own timeout (S8).
  record_fencing(quorum);
  log::error("fenced",
             "this host is FENCED: {}. Commits behind {} are without a quorum. When another host "
             "is the source, binlane rejoin makes this one its replica",
             cause.reason, to_string(quorum));
  phase_ = Phase::fenced;
  next_poll_ns_ = 0;
  fenced_looked_ = false;  // an ACK from before may still count
  const bool seen = fallback_ && fallback_->server_counters();
  fenced_counters_ = seen ? *fallback_->server_counters() : state_.counters;
  tell_replica_side();
  return true;
}

void SourceControl::record_fencing(const Position& quorum) {
  if (state_.origin.is_null() ||
      ledger_.expose_fencing(quorum, state_.epoch, role_.state().fence_reason))
    return;
  log::error("ledger_failed", "the exposure after {} is not on record: {}", to_string(quorum),
             ledger_.failure());
}

SourceControl::Fenced SourceControl::ask_fence(const std::string& reason) {
  // Shared, because the answer may come after we gave up waiting for it.
  auto report = std::make_shared<std::vector<std::string>>();
  std::string problem = ask([this, reason, report] {
    return role_.state().role == HostRole::standby ? fence_standby(*report)
                                                   : fence_by_operator(reason, *report);
  });
  if (!problem.empty()) return {std::move(problem), {}};
  return {{}, *report};
}

std::string SourceControl::fence_by_operator(const std::string& reason,
                                             std::vector<std::string>& report) {
  if (role_.state().role == HostRole::fenced)
    return "this host is FENCED already: " + role_.state().fence_reason;
  if (!fence({0, "an operator fenced it: " + reason}))
    return "the host's role cannot be stored: it is still the source";
  report = {
      "this host is FENCED: it hands out no quorum any more, and its server becomes read-only",
      fmt::format("commits that wait are let go by the server's own timeout ({} ms); they stand in "
                  "the ledger",
                  source_.effective_server_timeout_ms()),
      "to leave it: binlane promote on another host, then binlane rejoin on this one; or, as long "
      "as no other host was promoted, binlane fence --lift on this one"};
  return {};
}

std::string SourceControl::fence_standby(std::vector<std::string>& report) {
  if (replica_ == nullptr) return "this host has no [replica] section: it has promised nothing";
  if (promoter_->running()) return "its promotion is going on";
  std::uint32_t term = 0;
  if (std::string problem = fence_for_nobody(*replica_, term); !problem.empty()) return problem;
  report = fence_report(log_at_a_glance(config_.name, *replica_), term);
  return {};
}

std::string SourceControl::ask_unfence() {
  return ask([this] { return lift_fence(); });
}

std::string SourceControl::lift_fence() {
  RoleState role = role_.state();
  if (role.role != HostRole::fenced) return "this host is not FENCED";
  const std::uint32_t heard = replica_ == nullptr ? 0 : replica_->control().deposed_by();
  if (const std::uint32_t later = std::max(role.fenced_by, heard); later > state_.epoch.term)
    return fmt::format("term {} has begun elsewhere: only binlane rejoin leads back", later);
  role.role = HostRole::source;
  role.fence_reason.clear();
  if (const int error = role_.store(role); error != 0)
    return fmt::format("the host's role cannot be stored: {}", errno_text(error));
  log::warning("fence_lifted", "an operator lifted the fence: this host is the source again");
  phase_ = Phase::looking;
  problem_.clear();
  next_look_ns_ = 0;
  tell_replica_side();
  return {};
}

}  // namespace binlane
