// Tests of reading back what the server was told: a difference is reported once, remains while it
// lasts, and is corrected at a bounded rate if the setting is ours.
#include "control/source/server_watch.h"

#include <gtest/gtest.h>

namespace binlane {
namespace {

constexpr std::uint64_t kStart = 1'000 * kNanosPerSecond;

class ServerWatchTest : public ::testing::Test {
 protected:
  ServerWatchTest() {
    wishes_.timeout_ms = seen_.timeout_ms = 15'000;
    wishes_.registered = true;
    seen_.clients = 1;
    seen_.wait_no_replica = true;
  }
  std::vector<ServerWatch::Change> observe() { return watch_.observe(wishes_, seen_, names_); }

  const SemiSyncNames names_ = semi_sync_names(SemiSyncWords::master_slave);
  ServerWishes wishes_;
  SemiSyncStatus seen_;
  ServerWatch watch_;
};

TEST_F(ServerWatchTest, NothingDiffersNothingIsSaid) {
  EXPECT_TRUE(observe().empty());
  EXPECT_TRUE(watch_.differences().empty());
  EXPECT_FALSE(watch_.due(kStart));
}

TEST_F(ServerWatchTest, SomebodyElsesTimeoutIsSaidOnceAndSetAgain) {
  seen_.timeout_ms = 250;
  const auto changes = observe();
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_TRUE(changes[0].differs);
  EXPECT_NE(changes[0].text.find("rpl_semi_sync_master_timeout is 250 ms"), std::string::npos);
  EXPECT_EQ(watch_.differences().size(), 1U);
  EXPECT_TRUE(observe().empty()) << "the same again is no news";
  ASSERT_EQ(watch_.due(kStart), ServerSetting::timeout);
  EXPECT_FALSE(watch_.mended(ServerSetting::timeout, "", kStart));
  EXPECT_EQ(watch_.differences().size(), 1U) << "only a look shows whether it has helped";
  seen_.timeout_ms = 15'000;
  const auto over = observe();
  ASSERT_EQ(over.size(), 1U);
  EXPECT_FALSE(over[0].differs);
  EXPECT_TRUE(watch_.differences().empty());
  EXPECT_EQ(watch_.times_mended(), 1U);
}

TEST_F(ServerWatchTest, WhatCannotBeSetSaysWhyOnceAndIsTriedAgain) {
  seen_.wait_point = WaitPoint::after_commit;
  observe();
  ASSERT_EQ(watch_.due(kStart), ServerSetting::wait_point);
  EXPECT_TRUE(watch_.mended(ServerSetting::wait_point, "1227: Access denied", kStart));
  ASSERT_EQ(watch_.differences().size(), 1U);
  EXPECT_NE(watch_.differences()[0].find("1227: Access denied"), std::string::npos);
  EXPECT_FALSE(watch_.due(kStart + ServerWatch::kMendNs - 1));
  ASSERT_EQ(watch_.due(kStart + ServerWatch::kMendNs), ServerSetting::wait_point);
  EXPECT_FALSE(watch_.mended(ServerSetting::wait_point, "1227: Access denied", kStart))
      << "the same failure is no news";
  EXPECT_EQ(watch_.times_mended(), 0U);
}

// If Binlane and somebody else undo each other's setting, Binlane still sets it at most once a
// second.
TEST_F(ServerWatchTest, MendingIsBounded) {
  std::size_t sets = 0;
  for (std::uint64_t ms = 0; ms < 10'000; ms += 50) {
    const std::uint64_t now_ns = kStart + ms * kNanosPerMilli;
    seen_.timeout_ms = 5;
    observe();
    if (!watch_.due(now_ns)) continue;
    watch_.mended(ServerSetting::timeout, "", now_ns);
    ++sets;
    seen_.timeout_ms = 15'000;
    observe();
  }
  EXPECT_LE(sets, 10U);
  EXPECT_GE(sets, 9U);
}

TEST_F(ServerWatchTest, ReadOnlyIsWhatTheServerSays) {
  wishes_.read_only = true;
  observe();
  EXPECT_NE(watch_.read_only_problem(), "");
  EXPECT_TRUE(watch_.differences().empty());
  ASSERT_EQ(watch_.due(kStart), ServerSetting::read_only);
  watch_.mended(ServerSetting::read_only, "1227: you need READ_ONLY ADMIN", kStart);
  EXPECT_NE(watch_.read_only_problem().find("READ_ONLY ADMIN"), std::string::npos);
  seen_.read_only = true;
  observe();
  EXPECT_EQ(watch_.read_only_problem(), "");
  // An operator may make a source in quorum read-only; Binlane does not undo that.
  wishes_.read_only = false;
  EXPECT_TRUE(observe().empty());
}

// A look may come after our dump connection began, and before the server counts it.
TEST_F(ServerWatchTest, AMissingClientMustLast) {
  seen_.clients = 0;
  for (std::uint32_t i = 1; i < ServerWatch::kSettledLooks; ++i) {
    EXPECT_TRUE(observe().empty());
    EXPECT_TRUE(watch_.differences().empty());
  }
  EXPECT_EQ(observe().size(), 1U);
  EXPECT_EQ(watch_.differences().size(), 1U);
  EXPECT_FALSE(watch_.due(kStart)) << "it is not ours to set";
}

}  // namespace
}  // namespace binlane
