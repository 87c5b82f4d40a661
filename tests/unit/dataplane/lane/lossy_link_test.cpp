// Source and replicas over links that lose, double, delay and reorder, and through crashes:
// everything arrives, and no ACK ever says too much. tests/support/model_cluster.h checks while it
// runs.
//
// BINLANE_SEED=<n> runs that seed alone, in every test; BINLANE_SEED_COUNT=<m> that many from
// there.
#include <gtest/gtest.h>

#include <cstdlib>
#include <exception>

#include "support/model_cluster.h"

namespace binlane {
namespace {

using test::ClusterOptions;
using test::ModelCluster;

// The limit that the project promises at 5 % loss.
constexpr std::uint64_t kStallLimitNs = 50 * kNanosPerMilli;

// A sanitizer makes everything slower, and needs fewer seeds to find its faults.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kSeedShare = 4;
#else
constexpr std::uint64_t kSeedShare = 1;
#endif

struct Totals {
  std::uint64_t sessions = 0;
  std::uint64_t cuts = 0;
};

template <class Make>
Totals run_seeds(std::uint64_t count, Make make) {
  std::uint64_t first = 1;
  count /= kSeedShare;
  if (const char* const wanted = std::getenv("BINLANE_SEED")) {
    first = std::strtoull(wanted, nullptr, 10);
    const char* const many = std::getenv("BINLANE_SEED_COUNT");
    count = many == nullptr ? 1 : std::strtoull(many, nullptr, 10);
  }
  std::uint64_t moves = 0;
  std::uint64_t longest_ns = 0;
  Totals totals;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    ClusterOptions options = make(seed);
    options.seed = seed;
    ModelCluster cluster(options);
    try {
      cluster.run();
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what() << "\nrun again: BINLANE_SEED=" << seed;
      return totals;
    }
    totals.sessions += cluster.sessions();
    totals.cuts += cluster.cuts();
    moves += cluster.quorum_moves();
    longest_ns = std::max(longest_ns, cluster.longest_stall_ns());
  }
  EXPECT_GT(moves, count);  // the checks had something to check
  ::testing::Test::RecordProperty("cuts", std::to_string(totals.cuts));
  ::testing::Test::RecordProperty("quorum_moves", std::to_string(moves));
  ::testing::Test::RecordProperty("longest_stall_us", std::to_string(longest_ns / kNanosPerMicro));
  return totals;
}

ClusterOptions sized(std::uint64_t seed) {
  ClusterOptions options;
  options.replicas = 1 + static_cast<std::uint32_t>(seed % 5);
  options.quorum = 1 + static_cast<std::uint32_t>(seed / 5 % options.replicas);
  options.stall_limit_ns = kStallLimitNs;
  return options;
}

TEST(LossyLink, AQuietNetworkNeverStalls) {
  run_seeds(40, [](std::uint64_t seed) {
    ClusterOptions options = sized(seed);
    options.stall_limit_ns = 2 * kNanosPerMilli;
    return options;
  });
}

TEST(LossyLink, FivePercentOfEverything) {
  run_seeds(200, [](std::uint64_t seed) {
    ClusterOptions options = sized(seed);
    options.faults.loss = options.faults.duplicate = options.faults.reorder = 0.05;
    options.faults.jitter_ns = 20'000;
    return options;
  });
}

TEST(LossyLink, AThirdIsLost) {
  run_seeds(60, [](std::uint64_t seed) {
    ClusterOptions options = sized(seed);
    options.faults.loss = options.faults.duplicate = 0.33;
    options.faults.reorder = 0.5;
    options.faults.reorder_ns = 1'000'000;
    options.faults.no_tx_buffer = 0.1;
    options.groups = 30;
    options.stall_limit_ns = 0;
    return options;
  });
}

TEST(LossyLink, LargeGroupsThroughASmallRing) {
  run_seeds(60, [](std::uint64_t seed) {
    ClusterOptions options = sized(seed);
    options.faults.loss = options.faults.reorder = 0.05;
    options.journal_blocks = 32;
    options.groups = 8;
    options.largest_group = 300'000;  // more than the ring holds
    options.file_ends = 0.3;
    return options;
  });
}

TEST(LossyLink, ManySmallFiles) {
  run_seeds(40, [](std::uint64_t seed) {
    ClusterOptions options = sized(seed);
    options.faults.loss = options.faults.duplicate = options.faults.reorder = 0.05;
    options.largest_group = 60;
    options.file_ends = 0.9;
    options.group_pause_ns = 100'000;
    return options;
  });
}

TEST(LossyLink, ReplicasCrash) {
  run_seeds(60, [](std::uint64_t seed) {
    ClusterOptions options = sized(seed);
    options.faults.loss = options.faults.reorder = 0.03;
    options.replica_crashes = 3;
    options.journal_blocks = 64;
    options.stall_limit_ns = 0;
    return options;
  });
}

TEST(LossyLink, SourcesCrash) {
  const Totals totals = run_seeds(60, [](std::uint64_t seed) {
    ClusterOptions options = sized(seed);
    options.faults.loss = options.faults.duplicate = options.faults.reorder = 0.03;
    options.source_crashes = 4;
    options.group_pause_ns = 100'000;
    options.journal_blocks = 128;
    options.stall_limit_ns = 0;
    return options;
  });
  // The crashes did what they are here for.
  if (std::getenv("BINLANE_SEED") == nullptr) {
    EXPECT_GT(totals.cuts, 0U);
  }
}

TEST(LossyLink, EverybodyCrashes) {
  const Totals totals = run_seeds(60, [](std::uint64_t seed) {
    ClusterOptions options = sized(seed);
    options.faults.loss = options.faults.duplicate = options.faults.reorder = 0.05;
    options.faults.no_tx_buffer = 0.01;
    options.source_crashes = 3;
    options.replica_crashes = 4;
    options.group_pause_ns = 200'000;
    options.stall_limit_ns = 0;
    return options;
  });
  // The crashes did what they are here for.
  if (std::getenv("BINLANE_SEED") == nullptr) {
    EXPECT_GT(totals.cuts, 0U);
  }
}

}  // namespace
}  // namespace binlane
