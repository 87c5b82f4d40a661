// Tests of the stage clock and its histograms, against values that are known.
#include "dataplane/stage_clock.h"

#include <gtest/gtest.h>

#include <memory>

namespace binlane {
namespace {

TEST(StageHistogram, BucketsHoldWhatTheySay) {
  for (std::uint64_t ns = 0; ns < 100'000; ++ns) {
    const std::size_t index = StageHistogram::index_of(ns);
    ASSERT_LE(ns, StageHistogram::upper_ns(index));
    if (index == 0) continue;
    ASSERT_GT(ns, StageHistogram::upper_ns(index - 1));
  }
  // An eighth at most lies between a value and its bucket's end.
  for (std::uint64_t ns = 100; ns < (std::uint64_t{1} << 39); ns = ns * 9 / 8)
    ASSERT_LE(StageHistogram::upper_ns(StageHistogram::index_of(ns)), ns + ns / 8 + 1) << ns;
  EXPECT_EQ(StageHistogram::index_of(UINT64_MAX), StageHistogram::kBuckets - 1);
}

TEST(StageHistogram, QuantilesOfKnownValues) {
  StageHistogram histogram;
  EXPECT_EQ(histogram.counts().quantile_ns(0.99), 0U);
  for (std::uint64_t us = 1; us <= 1'000; ++us) histogram.record(us * 1'000);
  const auto counts = histogram.counts();
  EXPECT_EQ(counts.count, 1'000U);
  EXPECT_EQ(counts.max_ns, 1'000'000U);
  EXPECT_EQ(counts.sum_ns, 500'500'000U);
  for (const double part : {0.5, 0.9, 0.99}) {
    const double exact = part * 1'000'000;
    EXPECT_GE(static_cast<double>(counts.quantile_ns(part)), exact) << part;
    EXPECT_LE(static_cast<double>(counts.quantile_ns(part)), exact * 1.13) << part;
  }
  EXPECT_EQ(counts.quantile_ns(1), 1'000'000U);
}

// 45 KiB of histograms: not on the stack.
struct Clock {
  std::unique_ptr<StageClock> clock = std::make_unique<StageClock>();
  StageClock* operator->() const { return clock.get(); }
};

TEST(StageClock, EachStageMeasuresFromTheMomentTheBytesWereSeen) {
  Clock clock;
  clock->on_written(100, {1, 100}, 0, 1'000);
  clock->on_written(200, {1, 200}, 4'300, 5'000);
  clock->on_sent(0, 100, 2'500);
  clock->on_received(0, 150, 6'000);
  clock->on_durable(0, 150, 300, 900, 7'000);
  clock->on_quorum(150, 7'000);
  EXPECT_EQ(clock->quorum().counts().count, 1U);
  EXPECT_EQ(clock->quorum().counts().max_ns, 6'000U);
  clock->on_quorum(200, 9'000);
  clock->on_quorum(200, 99'000);
  EXPECT_EQ(clock->quorum().counts().count, 2U);
  EXPECT_EQ(clock->quorum().counts().sum_ns, 10'000U);
  clock->on_released(200, 10'000);
  EXPECT_EQ(clock->released().counts().max_ns, 9'000U);
  const StageTrace first = clock->trace(1);
  EXPECT_EQ(first.number, 1U);
  EXPECT_EQ(first.end, (Position{1, 100}));
  EXPECT_EQ(first.sent_ns, 1'500U);
  EXPECT_EQ(first.received_ns, 5'000U);
  EXPECT_EQ(first.durable_ns, 6'000U);
  EXPECT_EQ(first.quorum_ns, 6'000U);
  EXPECT_EQ(first.released_ns, 9'000U);
  EXPECT_EQ(clock->trace(2).received_ns, 0U);
  // The first was found by a lane that had not looked before.
  EXPECT_EQ(clock->unseen().counts().count, 1U);
  EXPECT_EQ(clock->unseen().counts().max_ns, 700U);
}

TEST(StageClock, AReplicasDurationsCountOnceForEachWrite) {
  Clock clock;
  clock->on_written(100, {1, 100}, 0, 1'000);
  clock->on_durable(2, 50, 100, 200, 2'000);
  EXPECT_EQ(clock->disk(2).counts().count, 0U);
  clock->on_durable(2, 100, 300, 400, 3'000);
  clock->on_durable(2, 100, 300, 400, 4'000);  // the ACK again
  EXPECT_EQ(clock->queue(2).counts().count, 1U);
  EXPECT_EQ(clock->queue(2).counts().max_ns, 300U);
  EXPECT_EQ(clock->disk(2).counts().max_ns, 400U);
  EXPECT_EQ(clock->disk(1).counts().count, 0U);
}

TEST(StageClock, TheFirstReplicaMakesTheTraceAndEachHasItsHistogram) {
  Clock clock;
  clock->on_written(100, {1, 100}, 0, 1'000);
  clock->on_durable(3, 100, 0, 0, 3'000);
  clock->on_durable(1, 100, 0, 0, 8'000);
  EXPECT_EQ(clock->trace(1).durable_ns, 2'000U);
  EXPECT_EQ(clock->durable(3).counts().max_ns, 2'000U);
  EXPECT_EQ(clock->durable(1).counts().max_ns, 7'000U);
}

TEST(StageClock, WhatASessionCatchesUpWithIsNotMeasured) {
  Clock clock;
  clock->on_written(100, {1, 100}, 0, 1'000);
  clock->restart(2);
  clock->on_durable(2, 100, 0, 0, 9'000'000);
  clock->on_sent(2, 100, 9'000'000);
  EXPECT_EQ(clock->sent(2).counts().count, 0U);
  EXPECT_EQ(clock->durable(2).counts().count, 0U);
  clock->on_quorum(100, 2'000);
  clock->restart();
  clock->on_written(10, {2, 10}, 0, 5'000);
  clock->on_quorum(10, 6'000);
  EXPECT_EQ(clock->quorum().counts().max_ns, 1'000U);
}

TEST(StageClock, OneThatFallsFarBehindSkipsAndCounts) {
  Clock clock;
  constexpr std::uint64_t kMore = 50;
  for (std::uint64_t i = 1; i <= StageClock::kSamples + kMore; ++i)
    clock->on_written(i, {1, i}, 0, i);
  clock->on_durable(0, UINT64_MAX, 0, 0, StageClock::kSamples + kMore);
  EXPECT_EQ(clock->skipped(), kMore);
  EXPECT_EQ(clock->durable(0).counts().count, StageClock::kSamples);
}

}  // namespace
}  // namespace binlane
