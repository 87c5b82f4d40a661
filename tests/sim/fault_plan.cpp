#include "fault_plan.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "base/clock.h"

namespace binlane::sim {
namespace {

constexpr std::array<const char*, kFaultKinds> kNames = {
    "loss",
    "duplication",
    "reordering",
    "delay_spike",
    "corruption",
    "truncation",
    "replay",
    "symmetric_partition",
    "asymmetric_partition",
    "partial_partition",
    "clogging",
    "source_daemon_crash",
    "replica_daemon_crash",
    "server_kill",
    "server_shutdown",
    "source_power_cut",
    "source_pause",
    "source_freeze",
    "replica_pause",
    "power_cut_4k",
    "power_cut_512",
    "lost_write",
    "misdirected_write",
    "bit_rot",
    "write_error",
    "sync_error",
    "slow_disk",
    "archive_full",
    "archive_pruned",
    "archive_sync_error",
    "superblock_error",
    "exposure_error",
    "reseed",
    "state_error",
    "role_error",
    "ledger_error",
    "kill_waiter",
    "operator_off",
    "sync_binlog_off",
    "flush_logs",
    "purge",
    "reset_master",
    "torn_binlog",
    "delete_domain",
    "second_acker",
    "rotation_storm",
    "quorum_change",
    "live_quorum_change",
    "live_timeout_change",
    "live_wait_point_change",
    "live_mode_change",
    "wall_clock_jump",
    "promotion",
    "rival_candidate",
    "later_promotion",
    "candidate_daemon_crash",
    "candidate_server_down",
    "candidate_power_cut",
    "candidate_role_error",
    "new_source_daemon_crash",
    "new_source_server_kill",
    "new_source_power_cut",
    "rejoin",
    "rejoin_cut",
    "rejoin_rebuilt",
};
static_assert(static_cast<std::size_t>(FaultKind::rejoin_rebuilt) + 1 == kFaultKinds);

constexpr std::uint64_t kMostKinds = 6;
constexpr std::uint64_t kMostTimes = 3;

// Some faults last for a moment, and some longer than every timeout.
std::uint64_t draw_length(Random& random) {
  switch (random.below(4)) {
    case 0:
      return random.below(20 * kNanosPerMilli);
    case 1:
      return random.below(300 * kNanosPerMilli);
    case 2:
      return random.below(1500 * kNanosPerMilli);
    default:
      return random.below(5 * kNanosPerSecond);
  }
}

}  // namespace

const char* to_string(FaultKind kind) noexcept {
  return kNames[static_cast<std::size_t>(kind)];
}

std::vector<Fault> make_fault_plan(Random& random, std::uint64_t from_ns, std::uint64_t to_ns) {
  BL_ASSERT(from_ns < to_ns);
  std::vector<Fault> faults;
  const std::uint64_t kinds = random.between(2, kMostKinds);
  for (std::uint64_t i = 0; i < kinds; ++i) {
    const auto kind = static_cast<FaultKind>(random.below(kFaultKinds));
    const std::uint64_t times = random.between(1, kMostTimes);
    for (std::uint64_t j = 0; j < times; ++j)
      faults.push_back(
          {kind, random.between(from_ns, to_ns - 1), draw_length(random), random.next()});
  }
  std::stable_sort(faults.begin(), faults.end(),
                   [](const Fault& a, const Fault& b) { return a.at_ns < b.at_ns; });
  return faults;
}

}  // namespace binlane::sim
