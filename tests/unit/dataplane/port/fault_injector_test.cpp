// The fault injector by itself: rates, determinism, and that nothing vanishes uncounted.
#include "dataplane/port/fault_injector.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

namespace binlane {
namespace {

struct Log {
  std::vector<int> dropped;
  std::vector<int> corrupted;
  bool copies_allowed = true;
};

struct Ops {
  Log* log;
  void drop(int item) { log->dropped.push_back(item); }
  bool copy(int item, int& copy) {
    copy = item;
    return log->copies_allowed;
  }
  void corrupt(int item, std::uint32_t) { log->corrupted.push_back(item); }
};

using Stage = FaultStage<int, Ops>;

std::vector<int> run(Stage& stage, Log& log, int packets, std::size_t burst_size) {
  std::vector<int> out;
  std::array<int, kRxBurst> burst{};
  std::uint64_t now_ns = 0;
  int next = 0;
  while (next < packets) {
    std::size_t count = 0;
    while (count < burst_size && next < packets) burst[count++] = next++;
    now_ns += 10'000;
    count = stage.apply(burst, count, now_ns, {&log});
    out.insert(out.end(), burst.begin(), burst.begin() + static_cast<std::ptrdiff_t>(count));
  }
  // A quiet line: what is held comes out by time alone.
  now_ns += kFaultHoldNs;
  std::size_t count = stage.apply(burst, 0, now_ns, {&log});
  out.insert(out.end(), burst.begin(), burst.begin() + static_cast<std::ptrdiff_t>(count));
  return out;
}

TEST(FaultInjector, NothingConfiguredChangesNothing) {
  Stage stage({});
  Log log;
  const std::vector<int> out = run(stage, log, 1000, 32);
  ASSERT_EQ(out.size(), 1000U);
  EXPECT_TRUE(std::is_sorted(out.begin(), out.end()));
  EXPECT_EQ(stage.counters().seen, 1000U);
  EXPECT_FALSE(FaultConfig{}.any());
}

TEST(FaultInjector, EveryPacketIsAccountedFor) {
  for (const std::size_t burst_size : {std::size_t{1}, std::size_t{7}, kRxBurst}) {
    Stage stage({.loss = 0.05, .duplicate = 0.05, .reorder = 0.1, .corrupt = 0.02, .seed = 42});
    Log log;
    constexpr int kPackets = 20'000;
    const std::vector<int> out = run(stage, log, kPackets, burst_size);
    const FaultCounters counters = stage.counters();
    EXPECT_EQ(counters.seen, static_cast<std::uint64_t>(kPackets));
    EXPECT_EQ(counters.lost, log.dropped.size());
    EXPECT_EQ(counters.corrupted, log.corrupted.size());
    EXPECT_EQ(out.size(), kPackets - counters.lost + counters.duplicated);
    // Rates: five standard deviations of a binomial are below these margins.
    EXPECT_NEAR(static_cast<double>(counters.lost), 1000, 155);
    EXPECT_NEAR(static_cast<double>(counters.corrupted), 400 * 0.95, 100);
    EXPECT_GT(counters.duplicated, 500U);
    EXPECT_GT(counters.reordered, 1000U);
    EXPECT_FALSE(std::is_sorted(out.begin(), out.end()));
    std::map<int, int> times;
    for (const int item : out) ++times[item];
    for (const int item : log.dropped) EXPECT_EQ(times.count(item), 0U);
    EXPECT_EQ(times.size(), kPackets - counters.lost);
  }
}

TEST(FaultInjector, TheSameSeedDoesTheSame) {
  const FaultConfig config{.loss = 0.1, .duplicate = 0.1, .reorder = 0.1, .corrupt = 0, .seed = 9};
  Stage first(config);
  Stage second(config);
  FaultConfig other_seed = config;
  other_seed.seed = 10;
  Stage third(other_seed);
  Log log;
  const auto out = run(first, log, 1000, 8);
  EXPECT_EQ(out, run(second, log, 1000, 8));
  EXPECT_NE(out, run(third, log, 1000, 8));
}

TEST(FaultInjector, CertaintiesAreCertain) {
  Stage lose_all({.loss = 1.0});
  Log log;
  EXPECT_TRUE(run(lose_all, log, 500, 32).empty());
  EXPECT_EQ(log.dropped.size(), 500U);
}

TEST(FaultInjector, ReorderingIsBounded) {
  Stage stage({.reorder = 0.3, .seed = 3});
  Log log;
  const std::vector<int> out = run(stage, log, 5000, 1);
  ASSERT_EQ(out.size(), 5000U);
  int overtakers = 0;
  for (std::size_t index = 0; index < out.size(); ++index) {
    const int shift = static_cast<int>(index) - out[index];
    EXPECT_LE(shift, static_cast<int>(kFaultMaxDelayPackets));
    EXPECT_GE(shift, -static_cast<int>(kFaultMaxHeld));
    overtakers += shift < 0 ? 1 : 0;
  }
  EXPECT_GT(overtakers, 0);
}

TEST(FaultInjector, HeldPacketsLeaveAQuietLine) {
  Stage stage({.reorder = 1.0});
  Log log;
  std::array<int, kRxBurst> burst{1};
  EXPECT_EQ(stage.apply(burst, 1, 100, {&log}), 0U);
  EXPECT_EQ(stage.apply(burst, 0, 100 + kFaultHoldNs - 1, {&log}), 0U);
  EXPECT_EQ(stage.apply(burst, 0, 100 + kFaultHoldNs, {&log}), 1U);
  EXPECT_EQ(burst[0], 1);
}

TEST(FaultInjector, NoRoomForCopiesMeansNoDuplicates) {
  Stage stage({.duplicate = 1.0});
  Log log;
  log.copies_allowed = false;
  EXPECT_EQ(run(stage, log, 100, 32).size(), 100U);
  EXPECT_EQ(stage.counters().duplicated, 0U);
}

TEST(FaultInjector, AFullBurstOfDuplicatesNeverOverflows) {
  Stage stage({.duplicate = 1.0, .reorder = 0.5});
  Log log;
  const std::vector<int> out = run(stage, log, 10'000, kRxBurst);
  const FaultCounters counters = stage.counters();
  stage.clear({&log});
  EXPECT_EQ(out.size() + log.dropped.size(), 10'000 + counters.duplicated);
}

TEST(FaultInjector, ADelayedPacketComesWhenItIsDueAndInItsTurn) {
  Stage stage({.delay_us = 100});
  EXPECT_TRUE(FaultConfig{.delay_us = 100}.any());
  Log log;
  std::array<int, kRxBurst> burst{1, 2};
  EXPECT_EQ(stage.apply(burst, 2, 1'000, {&log}), 0U);
  burst[0] = 3;
  EXPECT_EQ(stage.apply(burst, 1, 50'000, {&log}), 0U);
  EXPECT_EQ(stage.apply(burst, 0, 100'999, {&log}), 0U);
  ASSERT_EQ(stage.apply(burst, 0, 101'000, {&log}), 2U);
  EXPECT_EQ(burst[0], 1);
  EXPECT_EQ(burst[1], 2);
  ASSERT_EQ(stage.apply(burst, 0, 150'000, {&log}), 1U);
  EXPECT_EQ(burst[0], 3);
  EXPECT_EQ(stage.counters().lost, 0U);
}

TEST(FaultInjector, WhatDoesNotFitTheDelayedLineIsLostAndCounted) {
  Stage stage({.delay_us = 1'000'000});
  Log log;
  std::array<int, kRxBurst> burst{};
  const std::size_t bursts = kFaultMaxDelayed / kRxBurst + 1;
  for (std::size_t i = 0; i < bursts; ++i) EXPECT_EQ(stage.apply(burst, kRxBurst, 0, {&log}), 0U);
  EXPECT_EQ(stage.counters().lost, bursts * kRxBurst - kFaultMaxDelayed);
  stage.clear({&log});
  EXPECT_EQ(log.dropped.size(), bursts * kRxBurst);
}

}  // namespace
}  // namespace binlane
