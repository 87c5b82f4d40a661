// Tests of the stage clock and its histograms, against values that are known.
#include "dataplane/lane/commit_tracer.h"

#include <gtest/gtest.h>

#include <memory>

namespace binlane::commit_tracer_test {

TEST(StageHistogram, BucketsHoldWhatTheySay) {
  for (std::uint64_t ns = 0; ns < 100'000; ++ns) {
    const std::size_t index = StageHistogram::bucket_index(ns);
    ASSERT_LE(ns, StageHistogram::bucket_end(index));
    if (index == 0) continue;
    ASSERT_GT(ns, StageHistogram::bucket_end(index - 1));
  }
  // A value and its bucket's end differ by an eighth at most.
  for (std::uint64_t ns = 100; ns < (std::uint64_t{1} << 39); ns = ns * 9 / 8)
    ASSERT_LE(StageHistogram::bucket_end(StageHistogram::bucket_index(ns)), ns + ns / 8 + 1) << ns;
  EXPECT_EQ(StageHistogram::bucket_index(UINT64_MAX), StageHistogram::kBuckets - 1);
}

TEST(StageHistogram, QuantilesOfKnownValues) {
  StageHistogram histogram;
  EXPECT_EQ(histogram.counts().quantile(0.99), 0U);
  for (std::uint64_t us = 1; us <= 1'000; ++us) histogram.record(us * 1'000);
  const auto counts = histogram.counts();
  EXPECT_EQ(counts.count(), 1'000U);
  EXPECT_EQ(counts.max(), 1'000'000U);
  EXPECT_EQ(counts.sum(), 500'500'000U);
  for (const double part : {0.5, 0.9, 0.99}) {
    const double exact = part * 1'000'000;
    EXPECT_GE(static_cast<double>(counts.quantile(part)), exact) << part;
    EXPECT_LE(static_cast<double>(counts.quantile(part)), exact * 1.13) << part;
  }
  EXPECT_EQ(counts.quantile(1), 1'000'000U);
}

// 45 KiB of histograms: not on the stack.
struct Clock {
  std::unique_ptr<CommitTracer> clock = std::make_unique<CommitTracer>();
  CommitTracer* operator->() const { return clock.get(); }
};

TEST(CommitTracer, EachStageMeasuresFromTheMomentTheBytesWereSeen) {
  Clock clock;
  clock->on_written(100, {1, 100}, 0, 1'000);
  clock->on_written(200, {1, 200}, 4'300, 5'000);
  clock->on_sent(0, 100, 2'500);
  clock->on_received(0, 150, 6'000);
  clock->on_durable(0, 150, 300, 900, 7'000);
  clock->on_quorum(150, 7'000);
  EXPECT_EQ(clock->quorum().counts().count(), 1U);
  EXPECT_EQ(clock->quorum().counts().max(), 6'000U);
  clock->on_quorum(200, 9'000);
  clock->on_quorum(200, 99'000);
  EXPECT_EQ(clock->quorum().counts().count(), 2U);
  EXPECT_EQ(clock->quorum().counts().sum(), 10'000U);
  clock->on_released(200, 10'000);
  EXPECT_EQ(clock->released().counts().max(), 9'000U);
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
  EXPECT_EQ(clock->unseen().counts().count(), 1U);
  EXPECT_EQ(clock->unseen().counts().max(), 700U);
}

TEST(CommitTracer, AReplicasDurationsCountOnceForEachWrite) {
  Clock clock;
  clock->on_written(100, {1, 100}, 0, 1'000);
  clock->on_durable(2, 50, 100, 200, 2'000);
  EXPECT_EQ(clock->disk(2).counts().count(), 0U);
  clock->on_durable(2, 100, 300, 400, 3'000);
  clock->on_durable(2, 100, 300, 400, 4'000);  // the ACK again
  EXPECT_EQ(clock->queue(2).counts().count(), 1U);
  EXPECT_EQ(clock->queue(2).counts().max(), 300U);
  EXPECT_EQ(clock->disk(2).counts().max(), 400U);
  EXPECT_EQ(clock->disk(1).counts().count(), 0U);
}

TEST(CommitTracer, TheFirstReplicaMakesTheTraceAndEachHasItsHistogram) {
  Clock clock;
  clock->on_written(100, {1, 100}, 0, 1'000);
  clock->on_durable(3, 100, 0, 0, 3'000);
  clock->on_durable(1, 100, 0, 0, 8'000);
  EXPECT_EQ(clock->trace(1).durable_ns, 2'000U);
  EXPECT_EQ(clock->durable(3).counts().max(), 2'000U);
  EXPECT_EQ(clock->durable(1).counts().max(), 7'000U);
}

TEST(CommitTracer, WhatASessionCatchesUpWithIsNotMeasured) {
  Clock clock;
  clock->on_written(100, {1, 100}, 0, 1'000);
  clock->restart(2);
  clock->on_durable(2, 100, 0, 0, 9'000'000);
  clock->on_sent(2, 100, 9'000'000);
  EXPECT_EQ(clock->sent(2).counts().count(), 0U);
  EXPECT_EQ(clock->durable(2).counts().count(), 0U);
  clock->on_quorum(100, 2'000);
  clock->restart();
  clock->on_written(10, {2, 10}, 0, 5'000);
  clock->on_quorum(10, 6'000);
  EXPECT_EQ(clock->quorum().counts().max(), 1'000U);
}

TEST(CommitTracer, OneThatFallsFarBehindSkipsAndCounts) {
  Clock clock;
  constexpr std::uint64_t kMore = 50;
  for (std::uint64_t i = 1; i <= CommitTracer::kSamples + kMore; ++i)
    clock->on_written(i, {1, i}, 0, i);
  clock->on_durable(0, UINT64_MAX, 0, 0, CommitTracer::kSamples + kMore);
  EXPECT_EQ(clock->skipped(), kMore);
  EXPECT_EQ(clock->durable(0).counts().count(), CommitTracer::kSamples);
}

}  // namespace binlane::commit_tracer_test
