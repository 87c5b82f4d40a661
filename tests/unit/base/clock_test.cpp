// Time is the monotonic clock's: a step of the wall clock, which no test can make, changes nothing.
#include "base/clock.h"

#include <gtest/gtest.h>

namespace binlane {
namespace {

std::uint64_t kernel_monotonic_ns() {
  timespec time{};
  EXPECT_EQ(clock_gettime(CLOCK_MONOTONIC, &time), 0);
  return static_cast<std::uint64_t>(time.tv_sec) * kNanosPerSecond +
         static_cast<std::uint64_t>(time.tv_nsec);
}

TEST(ClockTest, TimeIsTheMonotonicClocks) {
  const std::uint64_t before = kernel_monotonic_ns();
  const std::uint64_t ours = monotonic_ns();
  const std::uint64_t lanes = MonotonicClock{}.now_ns();
  const std::uint64_t after = kernel_monotonic_ns();
  EXPECT_LE(before, ours);
  EXPECT_LE(ours, lanes);
  EXPECT_LE(lanes, after);
}

}  // namespace
}  // namespace binlane
