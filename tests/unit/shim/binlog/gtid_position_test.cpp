#include "shim/binlog/gtid_position.h"

#include <gtest/gtest.h>

namespace binlane {
namespace {

std::string listed(const GtidHistory& history) {
  std::string text;
  for (const GtidEntry& gtid : history.list()) text += to_string(gtid) + ' ';
  return text;
}

TEST(GtidPosition, ReadsWhatAReplicaSends) {
  const auto position = GtidPosition::parse("0-1-100,1-2-5");
  ASSERT_TRUE(position);
  EXPECT_EQ(position->size(), 2u);
  ASSERT_NE(position->find(1), nullptr);
  EXPECT_EQ(position->find(1)->server_id, 2u);
  EXPECT_EQ(position->find(1)->sequence, 5u);
  EXPECT_EQ(position->find(2), nullptr);
  EXPECT_EQ(position->text(), "0-1-100,1-2-5");
  EXPECT_EQ(GtidPosition::parse(" 7-1-2 , 3-1-18446744073709551615\n")->text(),
            "3-1-18446744073709551615,7-1-2");
  EXPECT_TRUE(GtidPosition::parse("")->empty());
  EXPECT_TRUE(GtidPosition::parse("  ")->empty());
}

TEST(GtidPosition, RefusesWhatIsNone) {
  for (const auto* text :
       {"0", "0-1", "0-1-", "0-1-2,", ",0-1-2", "0-1-2,,1-1-1", "0-1-2-3", "a-1-2", "0-1-2x",
        "-1-1-2", "0--1-2", "4294967296-1-1", "0-4294967296-1", "0-1-18446744073709551616",
        "0-1-2,0-1-3", "0 -1-2", "+0-1-2"}) {
    EXPECT_FALSE(GtidPosition::parse(text)) << text;
  }
}

TEST(GtidHistory, KeepsTheLastOfEachServerAndTheOrderOfTheLastOnes) {
  GtidHistory history;
  EXPECT_FALSE(history.last_in(0));
  history.set({0, 1, 10});
  history.set({0, 2, 11});
  history.set({5, 1, 3});
  history.set({0, 3, 12});
  EXPECT_EQ(listed(history), "0-1-10 0-2-11 0-3-12 5-1-3 ");
  history.set({0, 1, 13});
  EXPECT_EQ(listed(history), "0-2-11 0-3-12 0-1-13 5-1-3 ");
  history.set({0, 1, 14});
  EXPECT_EQ(listed(history), "0-2-11 0-3-12 0-1-14 5-1-3 ");
  EXPECT_EQ(history.last_of(0, 2), 11u);
  EXPECT_EQ(history.last_of(0, 4), std::nullopt);
  EXPECT_EQ(history.last_of(1, 1), std::nullopt);
  EXPECT_EQ(history.last_in(0)->sequence, 14u);
  EXPECT_EQ(history.position().text(), "0-1-14,5-1-3");
}

TEST(GtidHistory, IsBounded) {
  GtidHistory history;
  for (std::uint32_t i = 0; i < GtidHistory::kMaxEntries; ++i) {
    ASSERT_TRUE(history.set({i % 16, i / 16, 1}));
  }
  EXPECT_FALSE(history.set({99, 1, 1}));
  EXPECT_FALSE(history.set({0, 0xffffffff, 1}));
  EXPECT_TRUE(history.set({0, 0, 2}));
  EXPECT_EQ(history.list().size(), GtidHistory::kMaxEntries);
}

}  // namespace
}  // namespace binlane
