// Tests of who acknowledges commits besides Binlane, and of how long MariaDB's binlog numbers last.
#include "control/fallback/other_ackers.h"

#include <gtest/gtest.h>

#include "control/stream/binlog_numbers.h"

namespace binlane {
namespace {

constexpr std::uint64_t kMs = kNanosPerMilli;
constexpr OwnAcker kAway{false, 1};
constexpr OwnAcker kFirst{true, 1};
constexpr OwnAcker kSecond{true, 2};

struct Looks {
  AckerWatch watch;
  std::uint64_t now_ms = 1'000;

  // Every 50 ms for so long; the last answer.
  OtherAckers look_for(std::uint64_t length_ms, std::uint64_t clients, const OwnAcker& own) {
    OtherAckers seen = OtherAckers::none;
    for (const std::uint64_t end = now_ms + length_ms; now_ms < end; now_ms += 50)
      seen = watch.observe(now_ms * kMs, clients, own, own);
    return seen;
  }
};

TEST(AckerWatch, OurOwnConnectionIsNobodyElse) {
  Looks looks;
  EXPECT_EQ(looks.look_for(50, 0, kAway), OtherAckers::none);
  EXPECT_EQ(looks.look_for(3'000, 1, kFirst), OtherAckers::none);
}

TEST(AckerWatch, OneMoreBesideASettledConnectionIsSomebodyElseAtOnce) {
  Looks looks;
  looks.look_for(2'000, 1, kFirst);
  EXPECT_EQ(looks.look_for(50, 3, kFirst), OtherAckers::present);
  EXPECT_EQ(looks.watch.count(), 2U);
  EXPECT_EQ(looks.look_for(50, 1, kFirst), OtherAckers::none);
  EXPECT_EQ(looks.watch.count(), 0U);
}

TEST(AckerWatch, APredecessorOfOurOwnIsNoAlarm) {
  Looks looks;
  looks.look_for(2'000, 1, kFirst);
  EXPECT_EQ(looks.look_for(100, 1, kAway), OtherAckers::unclear);
  EXPECT_EQ(looks.look_for(500, 2, kSecond), OtherAckers::unclear);
  EXPECT_EQ(looks.look_for(2'000, 1, kSecond), OtherAckers::none);
}

TEST(AckerWatch, ASurplusThatOutlivesOurReconnectionIsSomebodyElse) {
  Looks looks;
  looks.look_for(2'000, 1, kFirst);
  looks.look_for(500, 2, kSecond);
  EXPECT_EQ(looks.look_for(700, 2, kSecond), OtherAckers::present);
}

TEST(AckerWatch, AConnectionOfOursThatComesAndGoesHidesNobodyForLong) {
  Looks looks;
  OtherAckers seen = OtherAckers::none;
  for (std::uint64_t i = 1; i < 10; ++i) seen = looks.look_for(500, 2, {true, i});
  EXPECT_EQ(seen, OtherAckers::present);
}

TEST(AckerWatch, WhatIsLeftOfOurLastConnectionIsNoAlarmHoweverLong) {
  Looks looks;
  EXPECT_EQ(looks.look_for(60'000, 1, kAway), OtherAckers::unclear);
}

TEST(AckerWatch, AConnectionThatChangesWithinALookProvesNothing) {
  AckerWatch watch;
  EXPECT_EQ(watch.observe(1'000 * kMs, 1, kAway, kFirst), OtherAckers::unclear);
  EXPECT_EQ(watch.observe(1'050 * kMs, 2, kFirst, kSecond), OtherAckers::unclear);
}

TEST(BinlogNumbers, EndOneFileBeforeTheServerComparesWrongly) {
  BinlogNumbers numbers;
  numbers.begin(true);
  numbers.note(989'999);
  EXPECT_FALSE(numbers.near_end() || numbers.take_warning().has_value());
  numbers.note(990'000);
  EXPECT_EQ(numbers.take_warning(), 990'000U);
  numbers.note(990'999);
  EXPECT_FALSE(numbers.take_warning().has_value());
  numbers.note(999'998);
  EXPECT_EQ(numbers.take_warning(), 999'998U);
  EXPECT_FALSE(numbers.over());
  numbers.note(999'999);
  EXPECT_TRUE(numbers.over());
  numbers.note(3);  // what is read later of older files changes nothing
  EXPECT_TRUE(numbers.over());
  numbers.begin(true);
  EXPECT_FALSE(numbers.over());
}

TEST(BinlogNumbers, HaveNoEndWhereNumbersAreCompared) {
  BinlogNumbers numbers;
  numbers.begin(false);
  numbers.note(1'500'000);
  EXPECT_FALSE(numbers.over() || numbers.near_end() || numbers.take_warning().has_value());
}

}  // namespace
}  // namespace binlane
