#include "shim/binlog/synced_confirmer.h"

#include <gtest/gtest.h>

namespace binlane {
namespace {

void poll(SyncedConfirmer& confirmer, const Position& seen, std::optional<std::uint64_t> value) {
  confirmer.on_poll_begin(seen);
  confirmer.on_poll_end(value);
}

SyncedConfirmer trusted(const Position& synced) {
  SyncedConfirmer confirmer;
  poll(confirmer, {}, 1);
  EXPECT_TRUE(confirmer.own_sync_begin());
  confirmer.on_own_sync(synced);
  EXPECT_FALSE(confirmer.needs_own_sync());
  return confirmer;
}

TEST(SyncedConfirmer, NothingCountsBeforeAnOwnSync) {
  SyncedConfirmer confirmer;
  EXPECT_TRUE(confirmer.needs_own_sync());
  EXPECT_FALSE(confirmer.own_sync_begin());  // no poll yet
  poll(confirmer, {5, 900}, 1);
  poll(confirmer, {5, 900}, 1);
  EXPECT_TRUE(confirmer.synced().is_null());
}

TEST(SyncedConfirmer, APositionCountsAfterAPollThatBeganAfterIt) {
  SyncedConfirmer confirmer = trusted({5, 100});
  confirmer.on_poll_begin({5, 200});
  EXPECT_EQ(confirmer.synced(), (Position{5, 100}));
  confirmer.on_poll_end(1);
  // What arrived while the poll was in progress waits for the next one.
  EXPECT_EQ(confirmer.synced(), (Position{5, 200}));
  poll(confirmer, {5, 350}, 1);
  EXPECT_EQ(confirmer.synced(), (Position{5, 350}));
}

TEST(SyncedConfirmer, NeverGoesBack) {
  SyncedConfirmer confirmer = trusted({5, 100});
  poll(confirmer, {5, 50}, 1);
  poll(confirmer, {}, 1);
  EXPECT_EQ(confirmer.synced(), (Position{5, 100}));
}

TEST(SyncedConfirmer, AnotherSettingTakesTheTrustAway) {
  SyncedConfirmer confirmer = trusted({5, 100});
  poll(confirmer, {5, 200}, 0);
  EXPECT_EQ(confirmer.synced(), (Position{5, 100}));
  EXPECT_EQ(confirmer.distrusts(), 1U);
  // Back to 1 is not enough: 5:200 may never have been synced.
  poll(confirmer, {5, 300}, 1);
  poll(confirmer, {5, 400}, 1);
  EXPECT_EQ(confirmer.synced(), (Position{5, 100}));
  EXPECT_TRUE(confirmer.needs_own_sync());
  ASSERT_TRUE(confirmer.own_sync_begin());
  confirmer.on_own_sync({5, 450});
  EXPECT_EQ(confirmer.synced(), (Position{5, 450}));
  poll(confirmer, {5, 500}, 1);
  EXPECT_EQ(confirmer.synced(), (Position{5, 500}));
  EXPECT_EQ(confirmer.distrusts(), 1U);
}

TEST(SyncedConfirmer, ALostPollTakesTheTrustAway) {
  SyncedConfirmer confirmer = trusted({5, 100});
  poll(confirmer, {5, 200}, std::nullopt);
  poll(confirmer, {5, 300}, 1);
  EXPECT_EQ(confirmer.synced(), (Position{5, 100}));
}

TEST(SyncedConfirmer, AnOwnSyncIsTrueButBringsNoTrustWhenTheSettingChangedMeanwhile) {
  SyncedConfirmer confirmer;
  poll(confirmer, {}, 1);
  ASSERT_TRUE(confirmer.own_sync_begin());
  poll(confirmer, {5, 200}, 1000);
  poll(confirmer, {5, 300}, 1);
  confirmer.on_own_sync({5, 150});
  EXPECT_EQ(confirmer.synced(), (Position{5, 150}));
  EXPECT_TRUE(confirmer.needs_own_sync());
  poll(confirmer, {5, 400}, 1);
  EXPECT_EQ(confirmer.synced(), (Position{5, 150}));
}

TEST(SyncedConfirmer, OwnSyncWorksWithoutTheSetting) {
  SyncedConfirmer confirmer;
  poll(confirmer, {5, 200}, 0);
  EXPECT_FALSE(confirmer.own_sync_begin());
  confirmer.on_own_sync({5, 150});
  EXPECT_EQ(confirmer.synced(), (Position{5, 150}));
  EXPECT_TRUE(confirmer.needs_own_sync());
}

TEST(SyncedConfirmer, RestartBeginsWithoutTrust) {
  SyncedConfirmer confirmer = trusted({5, 100});
  poll(confirmer, {5, 200}, 0);
  confirmer.restart({6, 4});
  EXPECT_EQ(confirmer.synced(), (Position{6, 4}));
  EXPECT_TRUE(confirmer.needs_own_sync());
  EXPECT_EQ(confirmer.distrusts(), 1U);
  EXPECT_FALSE(confirmer.own_sync_begin());
  // A poll that was in progress belongs to the past.
  confirmer.on_poll_begin({6, 300});
  confirmer.restart({7, 4});
  poll(confirmer, {7, 300}, 1);
  EXPECT_EQ(confirmer.synced(), (Position{7, 4}));
}

TEST(SyncedConfirmerDeathTest, AnAnswerWithoutAQuestion) {
  SyncedConfirmer confirmer;
  EXPECT_DEATH(confirmer.on_poll_end(1), "");
}

}  // namespace
}  // namespace binlane
