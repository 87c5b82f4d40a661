#include "control/status/problems.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/mutant.h"

namespace binlane {
namespace {

constexpr auto kWarning = Severity::warning;
constexpr auto kFault = Severity::fault;

constexpr ProblemKind kKinds[] = {
    {ProblemCode::looking, "looking", kFault, nullptr},
    {ProblemCode::refused, "refused", kFault, nullptr},
    {ProblemCode::fenced, "fenced", kFault, nullptr},
    {ProblemCode::promoting, "promoting", kFault, nullptr},
    {ProblemCode::not_semisync, "not_semisync", kFault, nullptr},
    {ProblemCode::blocked, "blocked", kFault, nullptr},
    {ProblemCode::quorum_lost, "quorum_lost", kFault, nullptr},
    {ProblemCode::replica_away, "replica_away", kWarning, nullptr},
    {ProblemCode::replica_damaged, "replica_damaged", kWarning, nullptr},
    {ProblemCode::ledger_open, "ledger_open", kFault, nullptr},
    {ProblemCode::ledger_unacknowledged, "ledger_unacknowledged", kWarning, nullptr},
    {ProblemCode::server_down, "server_down", kFault, nullptr},
    {ProblemCode::poll_failing, "poll_failing", kFault, nullptr},
    {ProblemCode::login_failing, "login_failing", kFault, nullptr},
    {ProblemCode::dump_away, "dump_away", kFault, nullptr},
    {ProblemCode::server_setting, "server_setting", kFault, nullptr},
    {ProblemCode::read_only_refused, "read_only_refused", kFault, nullptr},
    {ProblemCode::source_trouble, "source_trouble", kFault, nullptr},
    {ProblemCode::other_acker, "other_acker", kFault, nullptr},
    {ProblemCode::binlog_numbers, "binlog_numbers", kWarning, nullptr},
    {ProblemCode::binlog_headless, "binlog_headless", kFault, nullptr},
    {ProblemCode::standby_trouble, "standby_trouble", kWarning, nullptr},
    {ProblemCode::rejoining, "rejoining", kFault, nullptr},
    {ProblemCode::not_following, "not_following", kWarning, nullptr},
    {ProblemCode::cannot_take_over, "cannot_take_over", kFault, nullptr},
    {ProblemCode::writes_stopped, "writes_stopped", kFault, nullptr},
    {ProblemCode::diverged, "diverged", kFault, nullptr},
    {ProblemCode::source_away, "source_away", kFault, nullptr},
    {ProblemCode::journal_damaged, "journal_damaged", kWarning, nullptr},
    {ProblemCode::archive_full, "archive_full", kFault, nullptr},
    {ProblemCode::archive_disk_nearly_full, "archive_disk_nearly_full", kWarning, nullptr},
    {ProblemCode::archive_over_limit, "archive_over_limit", kWarning, nullptr},
    {ProblemCode::archive_file_not_deleted, "archive_file_not_deleted", kWarning, nullptr},
    {ProblemCode::feed_closed, "feed_closed", kFault, nullptr},
    {ProblemCode::hears_anybody, "hears_anybody", kWarning, nullptr},
    {ProblemCode::feed_gap, "feed_gap", kFault, nullptr},
    {ProblemCode::journal_failed, "journal_failed", kFault, "journal"},
    {ProblemCode::archive_failed, "archive_failed", kFault, "archive"},
    {ProblemCode::ledger_failed, "ledger_failed", kFault, "ledger"},
    {ProblemCode::role_failed, "role_failed", kFault, "role"},
    {ProblemCode::state_failed, "state_failed", kFault, "state"},
    {ProblemCode::exposures_failed, "exposures_failed", kFault, "exposures"},
    {ProblemCode::audit_failed, "audit_failed", kFault, "audit"},
    {ProblemCode::thread_stuck, "thread_stuck", kFault, nullptr},
    {ProblemCode::port_away, "port_away", kWarning, nullptr},
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < std::size(kKinds); ++i) {
    if (static_cast<std::size_t>(kKinds[i].code) != i) return false;
  }
  return true;
}
static_assert(in_order(), "the table is in the order of the enumeration");

}  // namespace

const char* to_string(Severity severity) noexcept {
  return severity == Severity::fault ? "fault" : "warning";
}

std::span<const ProblemKind> problem_kinds() noexcept {
  return kKinds;
}

const ProblemKind& kind_of(ProblemCode code) noexcept {
  const auto index = static_cast<std::size_t>(code);
  BL_ASSERT(index < std::size(kKinds));
  return kKinds[index];
}

void ProblemList::add(ProblemCode code, std::string text) {
  const Severity severity =
      BL_MUTANT(fault_called_warning, Severity::warning, kind_of(code).severity);
  problems_.push_back({code, severity, std::move(text)});
}

std::vector<Problem> ProblemList::take() {
  std::stable_sort(problems_.begin(), problems_.end(),
                   [](const Problem& a, const Problem& b) { return a.severity > b.severity; });
  return std::exchange(problems_, {});
}

}  // namespace binlane
