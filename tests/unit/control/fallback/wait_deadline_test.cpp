// Tests of the deadline: whose wait counts, and what a pause of this process does not do.
#include "control/fallback/wait_deadline.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace binlane {
namespace {

constexpr std::uint64_t ms(std::uint64_t n) {
  return n * kNanosPerMilli;
}
constexpr std::uint64_t kTimeout = ms(1000);
constexpr std::uint64_t kHard = ms(5000);

// Turns every 10 ms.
class Timeline {
 public:
  explicit Timeline(std::uint64_t timeout = kTimeout, std::uint64_t hard = kHard)
      : deadline(timeout, hard) {}
  // Runs for `length_ms`; the time at which it expired, or 0.
  std::uint64_t run(std::uint64_t length_ms, std::uint64_t waiting_step = 0,
                    std::uint64_t covered_step = 0) {
    for (std::uint64_t end = now_ms + length_ms; now_ms < end;) {
      now_ms += 10;
      waiting += waiting_step;
      covered += covered_step;
      deadline.turn(ms(now_ms), waiting, covered);
      if (deadline.expired()) return now_ms;
    }
    return 0;
  }
  void jump(std::uint64_t length_ms) {
    now_ms += length_ms;
    deadline.turn(ms(now_ms), waiting, covered);
  }
  WaitDeadline deadline;
  std::uint64_t now_ms = 1'000'000;
  std::uint64_t waiting = 0;
  std::uint64_t covered = 0;
};

TEST(WaitDeadline, NobodyWaitsNothingExpires) {
  Timeline t;
  t.waiting = t.covered = 500;
  EXPECT_EQ(t.run(60'000), 0U);
  EXPECT_FALSE(t.deadline.anyone_waits());
  // Traffic that is covered at once neither.
  EXPECT_EQ(t.run(60'000, 10, 10), 0U);
}

TEST(WaitDeadline, ExpiresATimeoutAfterTheWaitBegan) {
  Timeline t;
  t.run(30'000);  // idle for long
  const std::uint64_t begun = t.now_ms + 10;
  t.waiting = 100;
  EXPECT_EQ(t.run(60'000), begun + 1000);
  EXPECT_EQ(t.deadline.oldest_wait_ns(), kTimeout);
}

TEST(WaitDeadline, CountsFromTheOldestUncoveredWait) {
  Timeline t;
  t.waiting = 100;
  t.run(500);
  t.waiting = 200;
  t.run(400);
  t.covered = 100;  // the first is covered in time, the second waits for 400 ms by now
  t.run(10);
  EXPECT_EQ(t.deadline.oldest_wait_ns(), ms(400));
  EXPECT_EQ(t.deadline.stalled_ns(), 0U);
  // The quorum moved just now, so it must not move for a whole timeout.
  const std::uint64_t moved = t.now_ms;
  EXPECT_EQ(t.run(60'000), moved + 1000);
}

TEST(WaitDeadline, AMovingQuorumHoldsOffTheTimeoutButNotTheHardLimit) {
  Timeline t;
  t.run(10);
  const std::uint64_t begun = t.now_ms + 10;
  t.waiting = 1'000'000'000;  // one huge transaction
  EXPECT_EQ(t.run(60'000, 0, 1), begun + 5000);
}

TEST(WaitDeadline, AnOldWaitUnderLoadExpiresAlthoughNewBytesArrive) {
  Timeline t;
  t.run(10);
  const std::uint64_t begun = t.now_ms + 10;
  EXPECT_EQ(t.run(60'000, 7, 0), begun + 1000);
}

TEST(WaitDeadline, ALongLoadNeverOverflowsTheRingAndIsNeverLate) {
  // A wait that is far older than the ring's usual span, with a sample in every turn.
  Timeline t(ms(1000), ms(1'000'000));
  t.run(10);
  const std::uint64_t begun = t.now_ms + 10;
  t.waiting = 1'000'000;
  EXPECT_EQ(t.run(2'000'000, 5, 1), begun + 1'000'000);
  EXPECT_GT(t.deadline.merged(), 0U);
}

TEST(WaitDeadline, MergingMakesADeadlineAtMostALittleEarly) {
  // Two turns within one merge span: the later mark is taken to have waited since the earlier one.
  Timeline t(ms(12'800), ms(50'000));  // merge span: 100 ms
  t.waiting = 100;
  t.run(50);
  t.waiting = 200;
  t.run(10);
  t.covered = 150;
  t.run(10);
  EXPECT_EQ(t.deadline.oldest_wait_ns(), ms(60));
}

TEST(WaitDeadline, APauseAloneIsNoTimeout) {
  Timeline t;
  t.waiting = 100;
  t.run(100);
  t.jump(60'000);  // stopped and continued
  EXPECT_FALSE(t.deadline.expired());
  EXPECT_EQ(t.deadline.pauses(), 1U);
  // Acknowledgements that lay ready come within the grace time: nothing has expired.
  t.run(50);
  t.covered = 100;
  EXPECT_EQ(t.run(1000), 0U);
}

TEST(WaitDeadline, AfterAPauseTheHardLimitWaitsForTheGraceTimeOnly) {
  Timeline t;
  t.waiting = 100;
  t.run(100);
  t.jump(60'000);
  const std::uint64_t back = t.now_ms;
  EXPECT_EQ(t.run(60'000), back + WaitDeadline::kGraceNs / kNanosPerMilli);
}

TEST(WaitDeadline, AfterAPauseTheTimeoutGoesOn) {
  Timeline t(ms(1000), ms(1'000'000));
  t.waiting = 100;
  t.run(110);      // 100 ms of waiting
  t.jump(60'000);  // counts as a quarter of the timeout
  const std::uint64_t back = t.now_ms;
  EXPECT_EQ(t.run(60'000), back + 650);
}

TEST(WaitDeadline, TurnsThatAreAlwaysLateStillExpire) {
  Timeline t;
  t.waiting = 100;
  t.run(10);
  int turns = 0;
  while (!t.deadline.expired() && turns < 100) {
    t.jump(1500);
    ++turns;
  }
  EXPECT_LE(turns, 4);
  EXPECT_GE(turns, 2);
}

TEST(WaitDeadline, AMarkThatFallsBackChangesNothing) {
  Timeline t;
  t.waiting = t.covered = 1000;
  t.run(100);
  t.waiting = 10;  // a new dump connection repeats what it has sent
  EXPECT_EQ(t.run(5000), 0U);
  t.waiting = 1001;
  EXPECT_NE(t.run(5000), 0U);
}

TEST(WaitDeadline, ResetForgetsWaits) {
  Timeline t;
  t.waiting = 100;
  t.run(900);
  t.deadline.reset();
  EXPECT_FALSE(t.deadline.anyone_waits());
  const std::uint64_t begun = t.now_ms + 10;
  EXPECT_EQ(t.run(60'000), begun + 1000);
}

}  // namespace
}  // namespace binlane
