// SlowReplicas: gray failures by their marks.
#include "control/stream/slow_replicas.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace binlane {
namespace {

constexpr std::uint64_t kLimitNs = 100 * kNanosPerMilli;

struct Watch : SlowReplicas {
  std::uint64_t now_ns = kNanosPerSecond;
  std::array<std::uint64_t, kMaxReplicas> marks{};
  ReplicaSet connected = 0b11;
  std::uint32_t era = 1;
  void run_for(std::uint64_t length_ns) {
    for (const std::uint64_t end = now_ns + length_ns; now_ns < end; now_ns += 5 * kNanosPerMilli)
      observe(now_ns, kLimitNs, era, connected, marks);
  }
};

TEST(SlowReplicas, OneThatLacksWhatAnotherHasForTooLongIsSlow) {
  Watch watch;
  watch.marks = {500, 500};
  watch.run_for(kNanosPerSecond);
  watch.marks[0] = 600;
  watch.run_for(kLimitNs / 2);
  EXPECT_EQ(watch.slow(), 0U);
  watch.run_for(kLimitNs);
  EXPECT_EQ(watch.slow(), 0b10U);
  EXPECT_EQ(watch.times(), 1U);
}

TEST(SlowReplicas, OneThatIsAlwaysALittleBehindIsNot) {
  Watch watch;
  for (int i = 0; i < 100; ++i) {
    watch.marks[0] += 100;
    watch.run_for(kLimitNs / 5);
    watch.marks[1] = watch.marks[0] - 50;
  }
  EXPECT_EQ(watch.slow(), 0U);
}

TEST(SlowReplicas, ItIsTakenBackOnlyAfterACalmTime) {
  Watch watch;
  watch.marks = {600, 500};
  watch.run_for(2 * kLimitNs);
  ASSERT_EQ(watch.slow(), 0b10U);
  watch.marks[1] = 600;
  watch.run_for(2 * kLimitNs);
  EXPECT_EQ(watch.slow(), 0b10U);
  watch.run_for(SlowReplicas::kCalmLimits * kLimitNs);
  EXPECT_EQ(watch.slow(), 0U);
  EXPECT_EQ(watch.times(), 1U);
}

TEST(SlowReplicas, WhoIsAwayIsNotSlowAndOtherCoordinatesSayNothing) {
  Watch watch;
  watch.marks = {600, 500};
  watch.connected = 0b01;
  watch.run_for(10 * kLimitNs);
  EXPECT_EQ(watch.slow(), 0U);
  watch.connected = 0b11;
  watch.run_for(kLimitNs / 2);
  watch.era = 2;
  watch.marks = {20, 20};
  watch.run_for(10 * kLimitNs);
  EXPECT_EQ(watch.slow(), 0U);
}

}  // namespace
}  // namespace binlane
