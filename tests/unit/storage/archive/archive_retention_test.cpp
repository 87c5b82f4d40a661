// Which archived files may go: every rule that forbids it, alone.
#include "storage/archive/archive_retention.h"

#include <gtest/gtest.h>

#include <functional>

namespace binlane {
namespace {

constexpr std::uint64_t kDay = 86'400;
constexpr std::uint64_t kFile = 100;

// Ten files of one stream, each a day older than the next; nobody needs files 1 to 8.
RetentionFacts ten_files() {
  RetentionFacts facts;
  for (std::uint32_t number = 1; number <= 10; ++number)
    facts.files.push_back({0, number, kFile, (10 - number) * kDay});
  facts.executed = Position{10, 50};
  facts.in_session = true;
  facts.peers_need = 10;
  facts.free_bytes = 1'000'000;
  return facts;
}

RetentionPolicy days(std::uint64_t count) {
  RetentionPolicy policy;
  policy.keep_age_s = count * kDay;
  return policy;
}

TEST(ArchiveRetention, WithoutLimitsEverythingStays) {
  const RetentionPlan plan = plan_retention({}, ten_files());
  EXPECT_EQ(plan.remove, 0U);
  EXPECT_EQ(plan.bytes, 10 * kFile);
  EXPECT_FALSE(plan.over_limit);
}

TEST(ArchiveRetention, WhatIsOlderThanTheLimitGoes) {
  const RetentionPlan plan = plan_retention(days(4), ten_files());
  EXPECT_EQ(plan.remove, 5U);  // nine to five days old
  EXPECT_EQ(plan.kept, RetentionReason::within_limits);
  EXPECT_FALSE(plan.over_limit);
}

TEST(ArchiveRetention, WhatIsTooLargeGoesOldestFirst) {
  RetentionPolicy policy;
  policy.keep_bytes = 3 * kFile;
  EXPECT_EQ(plan_retention(policy, ten_files()).remove, 7U);
}

TEST(ArchiveRetention, ADiskThatIsNearlyFullTakesWhatNobodyNeeds) {
  RetentionPolicy policy;
  policy.min_free_bytes = 1'000;
  RetentionFacts facts = ten_files();
  facts.free_bytes = 750;
  const RetentionPlan plan = plan_retention(policy, facts);
  EXPECT_TRUE(plan.disk_nearly_full);
  EXPECT_EQ(plan.remove, 3U);  // until 1000 are left
}

TEST(ArchiveRetention, TheTwoNewestFilesAlwaysStay) {
  RetentionPolicy policy;
  policy.keep_bytes = 1;
  RetentionFacts facts = ten_files();
  facts.executed = Position{11, 4};
  facts.peers_need = 11;
  const RetentionPlan plan = plan_retention(policy, facts);
  EXPECT_EQ(plan.remove, 8U);
  EXPECT_EQ(plan.kept, RetentionReason::newest);
}

struct Forbidden {
  const char* name;
  RetentionReason reason;
  std::size_t remove;  // files that may go all the same
  std::function<void(RetentionPolicy&, RetentionFacts&)> change;
};

// Each of these alone keeps a file that its age asks to delete.
TEST(ArchiveRetention, EveryNeedKeepsAFile) {
  const Forbidden cases[] = {
      {"executed", RetentionReason::not_executed, 2,
       [](RetentionPolicy&, RetentionFacts& facts) {
         facts.executed = Position{3, 7};
       }},
      {"executed unknown", RetentionReason::executed_unknown, 0,
       [](RetentionPolicy&, RetentionFacts& facts) { facts.executed.reset(); }},
      {"a client of the feed", RetentionReason::feed_reads, 3,
       [](RetentionPolicy&, RetentionFacts& facts) { facts.fed = 4; }},
      {"a client that has had nothing yet", RetentionReason::feed_reads, 0,
       [](RetentionPolicy&, RetentionFacts& facts) { facts.fed = 0; }},
      {"no session", RetentionReason::no_session, 0,
       [](RetentionPolicy&, RetentionFacts& facts) { facts.in_session = false; }},
      {"the source has not said", RetentionReason::peers_unknown, 0,
       [](RetentionPolicy&, RetentionFacts& facts) { facts.peers_need = 0; }},
      {"a connected replica", RetentionReason::peers_need, 1,
       [](RetentionPolicy&, RetentionFacts& facts) { facts.peers_need = 2; }},
      {"an absent replica", RetentionReason::kept_for_absent, 2,
       [](RetentionPolicy& policy, RetentionFacts&) { policy.keep_for_absent_bytes = 8 * kFile; }},
  };
  for (const Forbidden& one : cases) {
    RetentionPolicy policy = days(1);
    RetentionFacts facts = ten_files();
    one.change(policy, facts);
    const RetentionPlan plan = plan_retention(policy, facts);
    EXPECT_EQ(plan.remove, one.remove) << one.name;
    EXPECT_EQ(plan.kept, one.reason) << one.name;
    EXPECT_TRUE(plan.over_limit) << one.name;
  }
}

// Without room the journal stops, and with it the source's commits. What an absent replica may need
// still stays, and so does what the local server or a connected replica has not got.
TEST(ArchiveRetention, ANearlyFullDiskDoesNotWaitForASource) {
  RetentionPolicy policy;
  policy.min_free_bytes = 1'000'000'000;
  policy.keep_for_absent_bytes = 5 * kFile;
  RetentionFacts facts = ten_files();
  facts.in_session = false;
  RetentionPlan plan = plan_retention(policy, facts);
  EXPECT_EQ(plan.remove, 5U);
  EXPECT_EQ(plan.kept, RetentionReason::kept_for_absent);
  facts.executed = Position{2, 4};
  plan = plan_retention(policy, facts);
  EXPECT_EQ(plan.remove, 1U);
  EXPECT_EQ(plan.kept, RetentionReason::not_executed);
}

// A server that has executed anything of the present stream has executed all of the earlier ones.
TEST(ArchiveRetention, EarlierStreamsGoFirstAndWhole) {
  RetentionFacts facts;
  facts.files = {{0, 8, kFile, 9 * kDay},
                 {0, 9, kFile, 8 * kDay},
                 {1, 1, kFile, 7 * kDay},
                 {1, 2, kFile, 6 * kDay},
                 {1, 3, kFile, 0 * kDay}};
  facts.executed = Position{1, 400};
  facts.in_session = true;
  facts.peers_need = 1;
  facts.free_bytes = 1'000'000;
  RetentionPlan plan = plan_retention(days(1), facts);
  EXPECT_EQ(plan.remove, 2U);
  EXPECT_EQ(plan.kept, RetentionReason::not_executed);
  facts.sealed_is_fed = true;
  plan = plan_retention(days(1), facts);
  EXPECT_EQ(plan.remove, 0U);
  EXPECT_EQ(plan.kept, RetentionReason::feed_reads);
}

TEST(ArchiveRetention, AnEmptyArchiveIsFine) {
  EXPECT_EQ(plan_retention(days(1), {}).remove, 0U);
}

}  // namespace
}  // namespace binlane
