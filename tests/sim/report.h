// Report: what a number of simulated runs came to. Plain values, so that worker processes share one
// in memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "checks/checks.h"
#include "fault_kind.h"

namespace binlane::sim {

// Of one run.
struct RunResult {
  std::uint64_t seed = 0;
  std::uint64_t hash = 0;
  std::uint64_t virtual_ns = 0;
  std::uint64_t cuts = 0;
  std::uint64_t sessions = 0;
  std::array<std::uint32_t, kFaultKinds> faults{};
  CheckCounts checks;
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
  std::uint64_t not_the_same = 0;  // and came out differently
  std::uint64_t hash = 0;          // of all hashes
  std::uint64_t running = 0;       // the seed under way; 0: none
  std::array<std::uint64_t, kFaultKinds> faults{};
  // Runs in which both occurred.
  std::array<std::array<std::uint64_t, kFaultKinds>, kFaultKinds> pairs{};
  CheckCounts checks;
  std::uint64_t promoted = 0;  // runs in which a replica became the source
  std::uint64_t unproven = 0;  // and those in which nobody could
  std::size_t failures = 0;
  std::array<FailedSeed, kMostFailures> failed{};

  void add(const RunResult& result);
  void add_failure(std::uint64_t seed, const std::string& what);
  void add(const Report& other);
  // Of the unordered pairs of different kinds: how many occurred in one run.
  std::uint64_t pairs_seen() const;
  static constexpr std::uint64_t pairs_total() { return kFaultKinds * (kFaultKinds - 1) / 2; }
  std::string to_json() const;
};

}  // namespace binlane::sim
