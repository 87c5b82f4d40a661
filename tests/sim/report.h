// Report: the results of a number of simulated runs. It contains plain values, so that worker
// processes can share one in memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "checks/checks.h"
#include "fault_kind.h"
#include "world.h"

namespace binlane::sim {

// The result of one run.
struct RunResult {
  std::uint64_t seed = 0;
  std::uint64_t hash = 0;
  std::uint64_t virtual_ns = 0;
  std::uint64_t cuts = 0;
  std::uint64_t sessions = 0;
  std::array<std::uint32_t, kFaultKinds> faults{};
  CheckCounts checks;
  World::PromotionCounts promotions;
  World::SettingCounts settings;
  TemperamentCounts temperament;
  ServerKind server = ServerKind::mariadb;
  bool orders_commits = true;
  FallbackMode mode = FallbackMode::degrade;
  bool holds = false;  // degraded_release
  bool promotion_asked = false;
  bool promoted = false;
  std::string violation;  // empty: none
};

struct FailedSeed {
  std::uint64_t seed = 0;
  char what[1500] = {};
};

struct Report {
  static constexpr std::size_t kMostFailures = 32;

  std::uint64_t seeds = 0;
  std::uint64_t virtual_ns = 0;
  std::uint64_t violations = 0;
  std::uint64_t repeated = 0;      // seeds that were run twice
  std::uint64_t not_the_same = 0;  // seeds whose second run was different
  std::uint64_t hash = 0;          // of the hashes of all runs
  std::uint64_t running = 0;       // the seed that is running; 0: none
  std::array<std::uint64_t, kFaultKinds> faults{};
  // For each pair of kinds: the runs in which both occurred.
  std::array<std::array<std::uint64_t, kFaultKinds>, kFaultKinds> pairs{};
  CheckCounts checks;
  World::PromotionCounts promotions;
  World::SettingCounts settings;
  TemperamentCounts temperament;
  std::array<std::uint64_t, kServerKinds> servers{};  // runs with each
  std::uint64_t unordered = 0;                        // of MySQL's, with binlog_order_commits=OFF
  std::array<std::uint64_t, 3> modes{};               // runs that began in each
  std::uint64_t holding = 0;                          // runs with degraded_release = hold
  std::uint64_t later = 0;                            // runs in which a second one, or a third, did
  std::uint64_t promoted = 0;                         // runs in which a replica became the source
  std::uint64_t unproven = 0;                         // and those in which nobody could
  std::size_t failures = 0;
  std::array<FailedSeed, kMostFailures> failed{};

  void add(const RunResult& result);
  void add_failure(std::uint64_t seed, const std::string& what);
  void add(const Report& other);
  // How many unordered pairs of different kinds occurred in some run.
  std::uint64_t pairs_seen() const;
  static constexpr std::uint64_t pairs_total() { return kFaultKinds * (kFaultKinds - 1) / 2; }
  std::string to_json() const;
};

}  // namespace binlane::sim
