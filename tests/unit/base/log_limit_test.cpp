// LogLimiter: a flood of one event is one line a second, and nothing is left out in silence.
#include "base/log_limit.h"

#include <gtest/gtest.h>

#include <string>

namespace binlane {
namespace {

constexpr std::uint64_t kSecond = LogLimiter::kIntervalNs;
constexpr std::uint64_t kStart = 5 * kSecond;

TEST(LogLimiter, OneLineASecondForEachEvent) {
  LogLimiter limiter;
  std::uint64_t written = 0;
  std::uint64_t told = 0;
  constexpr std::uint64_t kFlood = 10'000;
  for (std::uint64_t i = 0; i < kFlood; ++i) {
    const auto verdict = limiter.admit("session_refused", kStart + i * kSecond / 1000);
    written += verdict.write ? 1 : 0;
    told += verdict.suppressed;
  }
  EXPECT_EQ(written, 10U);  // ten seconds
  for (const auto& left : limiter.take_left(kStart + 20 * kSecond)) told += left.suppressed;
  EXPECT_EQ(written + told, kFlood);
  EXPECT_FALSE(limiter.has_left());
}

TEST(LogLimiter, AnotherEventIsNotHeldUp) {
  LogLimiter limiter;
  EXPECT_TRUE(limiter.admit("promised", kStart).write);
  EXPECT_FALSE(limiter.admit("promised", kStart + 1).write);
  EXPECT_TRUE(limiter.admit("session_refused", kStart + 1).write);
}

TEST(LogLimiter, WhatWasKeptBackIsToldOnceItsSecondIsOver) {
  LogLimiter limiter;
  limiter.admit("promised", kStart);
  limiter.admit("promised", kStart + 1);
  limiter.admit("promised", kStart + 2);
  EXPECT_TRUE(limiter.has_left());
  EXPECT_TRUE(limiter.take_left(kStart + 3).empty());
  const auto left = limiter.take_left(kStart + kSecond);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].key, "promised");
  EXPECT_EQ(left[0].suppressed, 2U);
  // That was a line of this event as well.
  EXPECT_FALSE(limiter.admit("promised", kStart + kSecond + 1).write);
}

TEST(LogLimiter, MoreEventsThanFitShareOnePlace) {
  LogLimiter limiter;
  std::uint64_t written = 0;
  for (std::size_t i = 0; i < 10 * LogLimiter::kMaxEvents; ++i)
    written += limiter.admit("event" + std::to_string(i), kStart).write ? 1 : 0;
  EXPECT_EQ(written, LogLimiter::kMaxEvents);
}

}  // namespace
}  // namespace binlane
