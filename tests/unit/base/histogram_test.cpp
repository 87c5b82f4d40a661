// The latency histogram against known values: exact where it promises exactness, and within its
// stated error everywhere else.
#include "base/histogram.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <vector>

namespace binlane {
namespace {

using Latencies = Histogram<7, 64>;

constexpr std::uint64_t kLargest = std::numeric_limits<std::uint64_t>::max();

TEST(Histogram, IsEmptyAtFirst) {
  const Latencies histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.max(), 0U);
  EXPECT_EQ(histogram.quantile(0.5), 0U);
}

TEST(Histogram, BucketsTileTheWholeRangeWithoutGapOrOverlap) {
  for (std::size_t index = 0; index < Latencies::kBuckets; ++index) {
    const std::uint64_t end = Latencies::bucket_end(index);
    ASSERT_EQ(Latencies::bucket_index(end), index);
    if (index + 1 < Latencies::kBuckets) {
      ASSERT_EQ(Latencies::bucket_index(end + 1), index + 1);
    }
  }
  EXPECT_EQ(Latencies::bucket_end(Latencies::kBuckets - 1), kLargest);
}

TEST(Histogram, NeverReportsMoreThanOnePartIn128Above) {
  for (std::uint64_t value = 1; value < kLargest / 3; value = value * 3 + 1) {
    const std::uint64_t end = Latencies::bucket_end(Latencies::bucket_index(value));
    ASSERT_GE(end, value);
    ASSERT_LE(end - value, value / Latencies::kSubBuckets);
  }
}

TEST(Histogram, SmallValuesAreExact) {
  Latencies histogram;
  for (std::uint64_t value = 1; value <= 100; ++value) histogram.record(value);
  EXPECT_EQ(histogram.count(), 100U);
  EXPECT_EQ(histogram.quantile(0.0), 1U);
  EXPECT_EQ(histogram.quantile(0.01), 1U);
  EXPECT_EQ(histogram.quantile(0.5), 50U);
  EXPECT_EQ(histogram.quantile(0.99), 99U);
  EXPECT_EQ(histogram.quantile(1.0), 100U);
}

TEST(Histogram, KnownLatenciesKeepTheirQuantiles) {
  Latencies histogram;
  for (std::uint64_t i = 1; i <= 10'000; ++i) histogram.record(i * 1'000);
  const auto near = [](std::uint64_t reported, std::uint64_t truth) {
    return reported >= truth && reported - truth <= truth / Latencies::kSubBuckets;
  };
  EXPECT_TRUE(near(histogram.quantile(0.5), 5'000'000)) << histogram.quantile(0.5);
  EXPECT_TRUE(near(histogram.quantile(0.99), 9'900'000)) << histogram.quantile(0.99);
  EXPECT_TRUE(near(histogram.quantile(0.999), 9'990'000)) << histogram.quantile(0.999);
  EXPECT_EQ(histogram.quantile(1.0), 10'000'000U);
}

TEST(Histogram, OneOutlierShowsInTheMaximumAndNotInTheMedian) {
  Latencies histogram;
  for (int i = 0; i < 999; ++i) histogram.record(100);
  histogram.record(kLargest);
  EXPECT_EQ(histogram.quantile(0.5), 100U);
  EXPECT_EQ(histogram.quantile(0.999), 100U);
  EXPECT_EQ(histogram.quantile(1.0), kLargest);
  EXPECT_EQ(histogram.max(), kLargest);
}

TEST(Histogram, MergeEqualsRecordingIntoOne) {
  Latencies all;
  std::vector<Latencies> parts(4);
  std::uint64_t state = 88172645463325252U;
  for (std::size_t i = 0; i < 20'000; ++i) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    const std::uint64_t value = state >> (i % 60);
    all.record(value);
    parts[i % parts.size()].record(value);
  }
  Latencies merged;
  for (const Latencies& part : parts) merged.merge(part);
  EXPECT_EQ(merged.count(), all.count());
  EXPECT_EQ(merged.max(), all.max());
  for (const double fraction : {0.0, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    EXPECT_EQ(merged.quantile(fraction), all.quantile(fraction)) << fraction;
  }
}

TEST(Histogram, ASharedOneHasTheSameCounts) {
  SharedHistogram<7, 64> shared;
  Latencies own;
  for (std::uint64_t value = 1; value < 1'000'000; value = value * 3 / 2 + 1) {
    shared.record(value);
    own.record(value);
  }
  const Latencies counts = shared.counts();
  EXPECT_EQ(counts.count(), own.count());
  EXPECT_EQ(counts.sum(), own.sum());
  EXPECT_EQ(counts.max(), own.max());
  for (const double fraction : {0.0, 0.5, 0.99, 1.0})
    EXPECT_EQ(counts.quantile(fraction), own.quantile(fraction)) << fraction;
}

TEST(Histogram, ClearForgets) {
  Latencies histogram;
  histogram.record(7);
  histogram.clear();
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.quantile(0.5), 0U);
}

}  // namespace
}  // namespace binlane
