// The release rule, and the pace at which marks are published.
#include "dataplane/lane/release_marks.h"

#include <gtest/gtest.h>

#include "dataplane/lane/mark_pace.h"

namespace binlane {
namespace {

constexpr bool kRoom = true;
constexpr bool kFull = false;

// S7, S9: what is not on the source's own storage is released by no quorum, and the other way
// round.
TEST(ReleaseMarks, TheLesserOfSyncedAndQuorumIsReleased) {
  ReleaseMarks marks;
  EXPECT_FALSE(marks.advance(100));
  EXPECT_EQ(marks.released(), 0U);
  marks.raise_synced(60);
  EXPECT_TRUE(marks.advance(100));
  EXPECT_EQ(marks.released(), 60U);
  marks.raise_synced(150);
  EXPECT_TRUE(marks.advance(100));
  EXPECT_EQ(marks.released(), 100U);
  EXPECT_EQ(marks.covered(), 100U);
  EXPECT_FALSE(marks.advance(100)) << "no news";
}

TEST(ReleaseMarks, NothingDecreases) {
  ReleaseMarks marks;
  marks.begin_session(2);
  marks.raise_synced(50);
  marks.advance(50);
  EXPECT_EQ(marks.tell(2, kRoom), 50U);
  marks.raise_synced(40);
  EXPECT_FALSE(marks.advance(10));
  EXPECT_EQ(marks.synced(), 50U);
  EXPECT_EQ(marks.released(), 50U);
  EXPECT_EQ(marks.tell(2, kRoom), 50U);
}

TEST(ReleaseMarks, DegradedReleasesWhatIsSyncedAndKeepsItReleased) {
  ReleaseMarks marks;
  marks.raise_synced(80);
  marks.advance(30);
  marks.begin_degraded(0, false);
  EXPECT_TRUE(marks.advance(30));
  EXPECT_EQ(marks.released(), 80U);
  EXPECT_EQ(marks.covered(), 30U);
  marks.end_degraded();
  EXPECT_FALSE(marks.advance(40));
  EXPECT_EQ(marks.released(), 80U);
  EXPECT_EQ(marks.covered(), 40U);
  marks.raise_synced(90);
  EXPECT_TRUE(marks.advance(85));
  EXPECT_EQ(marks.released(), 85U) << "the quorum decides again";
}

// S10: without a quorum only to a replica that has the exposure on record.
TEST(ReleaseMarks, AReplicaIsToldOfExposedBytesOnceItKnowsTheExposure) {
  ReleaseMarks marks;
  marks.begin_session(0);
  marks.begin_session(1);
  marks.raise_synced(80);
  marks.begin_degraded(7, false);
  marks.advance(30);
  marks.set_exposure_known(0, 6);
  EXPECT_EQ(marks.tell(0, kRoom), 30U) << "an older list does not say so";
  marks.set_exposure_known(0, 7);
  EXPECT_EQ(marks.tell(0, kRoom), 80U);
  EXPECT_EQ(marks.tell(1, kRoom), 30U);
  marks.begin_degraded(8, false);
  EXPECT_EQ(marks.tell(0, kRoom), 80U) << "what it was told stays told";
  marks.end_degraded();
  EXPECT_EQ(marks.tell(1, kRoom), 30U) << "what was released without a quorum stays exposed";
  marks.advance(80);
  EXPECT_EQ(marks.tell(1, kRoom), 80U) << "a quorum has it now";
  marks.begin_session(0);
  EXPECT_EQ(marks.told(0), 0U);
}

// `degraded_release = hold`: not while the journal has room.
TEST(ReleaseMarks, HeldBytesAreToldWhenTheJournalIsFull) {
  ReleaseMarks marks;
  marks.begin_session(0);
  marks.raise_synced(80);
  marks.begin_degraded(7, true);
  marks.advance(30);
  EXPECT_EQ(marks.tell(0, kFull), 30U) << "it does not know of the exposure";
  marks.set_exposure_known(0, 7);
  EXPECT_EQ(marks.tell(0, kRoom), 30U);
  EXPECT_EQ(marks.tell(0, kFull), 80U);
}

TEST(ReleaseMarks, ANewIncarnationKnowsNothing) {
  ReleaseMarks marks;
  marks.raise_synced(80);
  marks.begin_degraded(7, true);
  marks.advance(80);
  marks.tell(3, kFull);
  marks.reset();
  EXPECT_FALSE(marks.degraded());
  EXPECT_EQ(marks.synced() + marks.released() + marks.covered() + marks.told(3), 0U);
  marks.advance(10);
  EXPECT_EQ(marks.released(), 0U);
}

TEST(MarkPace, ALaneUnderLoadPublishesAtAPaceAndSoonOnceItIsCalm) {
  MarkPace pace;
  std::uint64_t now_ns = kNanosPerSecond;
  EXPECT_TRUE(pace.due(1, now_ns)) << "nothing was published yet";
  EXPECT_FALSE(pace.due(1, now_ns + kPublishNs - 1));
  EXPECT_TRUE(pace.due(1, now_ns += kPublishNs));
  EXPECT_FALSE(pace.due(1, ++now_ns));
  EXPECT_FALSE(pace.due(0, now_ns + kCalmNs - 1)) << "an ACK may come yet";
  EXPECT_TRUE(pace.due(0, now_ns += kCalmNs));
  EXPECT_FALSE(pace.due(0, now_ns + kIdlePublishNs - 1)) << "nothing is new";
  EXPECT_TRUE(pace.due(0, now_ns += kIdlePublishNs));
  pace.note_change();
  EXPECT_TRUE(pace.due(0, ++now_ns));
}

}  // namespace
}  // namespace binlane
