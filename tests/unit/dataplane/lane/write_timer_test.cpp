// Tests of the journal writes' durations, against times that are known.
#include "dataplane/lane/write_timer.h"

#include <gtest/gtest.h>

namespace binlane {
namespace {

TEST(WriteTimer, TheOldestBytesOfAWriteCount) {
  WriteTimer clock;
  EXPECT_EQ(clock.disk_ns(), 0U);
  clock.on_arrival(1'000);
  clock.on_arrival(1'400);
  clock.on_submitted(1, 1, 1'500);
  clock.on_completed(1, 9'500);
  EXPECT_EQ(clock.queue_ns(), 500U);
  EXPECT_EQ(clock.disk_ns(), 8'000U);
}

TEST(WriteTimer, TwoWritesUnderWayKeepTheirOwn) {
  WriteTimer clock;
  clock.on_arrival(1'000);
  clock.on_submitted(7, 1, 1'100);
  clock.on_arrival(2'000);
  clock.on_submitted(8, 1, 2'300);
  clock.on_completed(8, 5'000);
  EXPECT_EQ(clock.queue_ns(), 300U);
  EXPECT_EQ(clock.disk_ns(), 2'700U);
  clock.on_completed(7, 6'000);
  EXPECT_EQ(clock.queue_ns(), 100U);
  EXPECT_EQ(clock.disk_ns(), 4'900U);
}

TEST(WriteTimer, ARecordWaitsForNothing) {
  WriteTimer clock;
  clock.on_submitted(1, 2, 5'000);
  clock.on_completed(2, 6'000);
  EXPECT_EQ(clock.queue_ns(), 0U);
  EXPECT_EQ(clock.disk_ns(), 1'000U);
}

TEST(WriteTimer, WhatAnAckHasNoRoomForIsClamped) {
  WriteTimer clock;
  clock.on_arrival(0);
  clock.on_submitted(1, 1, 5'000'000'000);
  clock.on_completed(1, 5'000'000'001);
  EXPECT_EQ(clock.queue_ns(), UINT32_MAX);
  EXPECT_EQ(clock.disk_ns(), 1U);
}

}  // namespace
}  // namespace binlane
