#include "shim/binlog/gtid_continuity.h"

#include <gtest/gtest.h>

#include <vector>

namespace binlane {
namespace {

using List = std::vector<GtidEntry>;

TEST(GtidContinuity, TheListIsTheStateInAnyOrder) {
  const List begin = {{0, 1, 5}};
  const List end = {{0, 1, 17}, {0, 2, 16}, {3, 1, 4}};
  EXPECT_EQ(judge_continuity(begin, end, List{{3, 1, 4}, {0, 2, 16}, {0, 1, 17}}),
            Continuity::follows);
  EXPECT_EQ(judge_continuity({}, {}, {}), Continuity::follows);
  EXPECT_EQ(continuity_text(end, end), "");
}

TEST(GtidContinuity, ADifferenceIsNamed) {
  const List begin = {{0, 1, 5}};
  const List end = {{0, 1, 17}};
  EXPECT_EQ(judge_continuity(begin, end, List{{0, 1, 20}}), Continuity::differs);
  EXPECT_EQ(continuity_text(end, List{{0, 1, 20}}),
            "the file ends with 0-1-17, but the next file begins after 0-1-20");
  EXPECT_EQ(judge_continuity(begin, end, List{{0, 1, 17}, {0, 2, 1}}), Continuity::differs);
  EXPECT_EQ(continuity_text(end, List{{0, 1, 17}, {0, 2, 1}}),
            "the next file says that 0-2-1 was written, but the file does not hold it");
  EXPECT_EQ(judge_continuity(begin, end, List{}), Continuity::differs);
  EXPECT_EQ(continuity_text(end, List{}),
            "the file holds 0-1-17, but the next file does not list it");
}

// FLUSH BINARY LOGS DELETE_DOMAIN_ID=(1)
TEST(GtidContinuity, WholeDomainsMayBeDeletedThatTheFileDidNotWriteTo) {
  const List begin = {{0, 1, 5}, {1, 1, 8}, {1, 2, 9}};
  const List end = {{0, 1, 7}, {1, 1, 8}, {1, 2, 9}};
  EXPECT_EQ(judge_continuity(begin, end, List{{0, 1, 7}}), Continuity::domains_deleted);
  // Half of a domain, or another domain with a difference.
  EXPECT_EQ(judge_continuity(begin, end, List{{0, 1, 7}, {1, 1, 8}}), Continuity::differs);
  EXPECT_EQ(judge_continuity(begin, end, List{{0, 1, 8}}), Continuity::differs);
  // The file wrote to domain 0, so the server cannot have deleted that.
  EXPECT_EQ(judge_continuity(begin, end, List{{1, 1, 8}, {1, 2, 9}}), Continuity::differs);
}

TEST(GtidContinuity, OnlyARotationDeletesDomains) {
  EXPECT_TRUE(continues(Continuity::domains_deleted, true));
  EXPECT_FALSE(continues(Continuity::domains_deleted, false));
  for (const bool same_run : {false, true}) {
    EXPECT_TRUE(continues(Continuity::unknown, same_run));
    EXPECT_TRUE(continues(Continuity::follows, same_run));
    EXPECT_FALSE(continues(Continuity::differs, same_run));
  }
}

}  // namespace
}  // namespace binlane
