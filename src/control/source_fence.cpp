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
#include "control/fencing.h"
#include "control/own_log.h"
#include "control/promotion_plan.h"
#include "control/replica_side.h"
#include "control/source_control.h"
#include "control/wall_clock.h"
#include "shim/server_process.h"

namespace binlane {
namespace {

// How often a record that the disk did not take is written again.
constexpr std::uint64_t kRecordAgainNs = 1 * kNanosPerSecond;

}  // namespace

// Nothing of the older term may complete a quorum any more, whatever happens from here on (I3), and
// this host never bids again by itself (S1). None of that waits for a disk (S18).
void SourceControl::fence(const FenceCause& cause) {
  const SourceMarks marks = lane_.queues().marks.load();
  const Position shown = marks.epoch == state_.epoch ? marks.quorum_group_at : Position{};
  fenced_from_ = std::max({state_.quorum, shown, beginning_of(state_)});
  struct {
    SourceControl& control;
    void ask_read_only() { control.ask_read_only(); }
    void end_incarnation(const std::string& reason) { control.end_incarnation({reason, {}}); }
    // What the server's clients still wait for it will release by itself, at its own timeout (S8).
    void record_fencing() { control.record_fencing(); }
  } host{*this};
  const bool on_record = fence_source(role_, cause, host);
  log::error("fenced",
             "this host is FENCED: {}. Commits after {} are without a quorum. When another host is "
             "the source, binlane rejoin makes this one its replica",
             cause.reason, to_string(fenced_from_));
  if (!on_record) log::error("role_not_stored", "{}", fence_not_on_record());
  leave_read_only_mark();
  phase_ = Phase::fenced;
  read_only_seen_ = commits_held_back_ = false;
  next_poll_ns_ = 0;
  next_record_ns_ = monotonic_ns() + kRecordAgainNs;
  const bool seen = fallback_ && fallback_->server_counters();
  fenced_watch_.begin(seen ? *fallback_->server_counters() : state_.counters,
                      server_status_.status_on);
  tell_replica_side();
}

std::string SourceControl::fence_not_on_record() const {
  return fmt::format(
      "fenced, not on record: cannot store {}: {}. It is tried again every second; until it works, "
      "a restart of binlaned would forget the fence",
      role_file_path(config_), errno_text(role_.error()));
}

void SourceControl::record_fencing() {
  fencing_recorded_ = state_.origin.is_null() || ledger_.expose_fencing(fenced_from_, state_.epoch,
                                                                        role_.state().fence_reason);
  if (!fencing_recorded_)
    log::error("ledger_failed", "the exposure after {} is not on record: {}",
               to_string(fenced_from_), ledger_.failure());
}

// What the disk did not take when this host was fenced.
void SourceControl::record_fence_again(std::uint64_t now_ns) {
  if ((role_.on_record() && fencing_recorded_) || now_ns < next_record_ns_) return;
  next_record_ns_ = now_ns + kRecordAgainNs;
  if (!role_.on_record() && role_.put_on_record() == 0)
    log::info("fenced", "the fence is on record now");
  if (!fencing_recorded_ && !ledger_.failed()) record_fencing();
}

SourceControl::Fenced SourceControl::ask_fence(const std::string& reason, bool kill_server) {
  // Shared, because the answer may come after we gave up waiting for it.
  auto report = std::make_shared<std::vector<std::string>>();
  auto on_record = std::make_shared<bool>(true);
  std::string problem = ask([this, reason, kill_server, report, on_record] {
    std::string refusal = fence_now(reason, kill_server, *report);
    *on_record = role_.on_record();
    return refusal;
  });
  if (!problem.empty()) return {std::move(problem), {}, true};
  return {{}, *report, *on_record};
}

std::string SourceControl::fence_now(const std::string& reason, bool kill_server,
                                     std::vector<std::string>& report) {
  if (role_.state().role != HostRole::standby)
    return fence_by_operator(reason, kill_server, report);
  return kill_server ? "this host is a standby: nobody waits for a quorum at its server"
                     : fence_standby(report);
}

std::string SourceControl::fence_by_operator(const std::string& reason, bool kill_server,
                                             std::vector<std::string>& report) {
  const bool fenced = role_.state().role == HostRole::fenced;
  if (fenced && !kill_server) return "this host is FENCED already: " + role_.state().fence_reason;
  std::string clients = waiting_clients();
  if (kill_server) {
    // First of all: an acknowledgement that came between would be one more client told OK.
    PeerProcess process;
    std::string problem = find_server_process(command_connection_, run_, process);
    bool ended = false;
    if (problem.empty()) problem = kill_server_process(process, ended);
    if (!problem.empty())
      return fmt::format("nothing was done: {} (without --kill-server it is fenced without that)",
                         problem);
    log::error("server_killed", "an operator had the server (process {}) killed: {}", process.pid,
               reason);
    clients = fmt::format(
        "the server (process {}) was killed{}: no client who waited was told OK. Nothing may start "
        "it "
        "before binlane rejoin (systemctl disable --now of its unit)",
        process.pid, ended ? "" : ", and has not ended yet (it waits for its disk?)");
  }
  if (!fenced) fence({0, "an operator fenced it: " + reason});
  report = {
      kill_server ? "this host is FENCED: it hands out no quorum any more"
                  : "this host is FENCED: it hands out no quorum any more, and its server becomes "
                    "read-only",
      clients,
      "to leave it: binlane promote on another host, then binlane rejoin on this one; or, as long "
      "as no other host was promoted, binlane fence --lift on this one"};
  if (!role_.on_record()) report.push_back(fence_not_on_record());
  return {};
}

// S20: a fence does not reach those.
std::string SourceControl::waiting_clients() const {
  const std::uint64_t most_ms = source_.effective_server_timeout_ms();
  const std::uint64_t waiting = server_status_.wait_sessions;
  const std::string clients =
      waiting == 0 ? "no commit was seen to wait for a quorum; clients of any that do"
                   : fmt::format("{} commits wait for a quorum: their clients", waiting);
  return fmt::format(
      "{} are told OK when the server's own timeout ends, at {} at the latest ({} ms from now), "
      "though nobody else may hold them; they stand in the ledger. Who must not have that kills "
      "the server first (binlane fence --kill-server)",
      clients, wall_clock_text_in(most_ms), most_ms);
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
