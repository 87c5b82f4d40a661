// What a replica of MySQL gets by its set, and what is said to one that gets nothing.

#include "shim/feed/gtid_set_filter.h"

#include <gtest/gtest.h>

#include <string>

#include "shim/feed/gtid_filter.h"

namespace binlane {
namespace {

const std::string kSource = "5f1e7a70-0001-4b00-8000-00000000000a";
const std::string kOther = "11111111-2222-3333-4444-555555555555";

MysqlGtidSet set(const std::string& text) {
  return MysqlGtidSet::parse(text).value();
}
MysqlGtid gtid(const std::string& text) {
  return parse_mysql_gtid(text).value();
}

TEST(GtidSetFilter, SendsWhatIsNotHeld) {
  GtidSetFilter filter(set(kSource + ":1-3:5:tag:1," + kOther + ":7"));
  EXPECT_FALSE(filter.on_group(gtid(kSource + ":3")));
  EXPECT_TRUE(filter.on_group(gtid(kSource + ":4")));
  EXPECT_FALSE(filter.on_group(gtid(kSource + ":5")));
  EXPECT_FALSE(filter.on_group(gtid(kSource + ":tag:1")));
  EXPECT_TRUE(filter.on_group(gtid(kSource + ":tag:2")));
  EXPECT_TRUE(filter.on_group(gtid(kSource + ":gat:1")));
  EXPECT_FALSE(filter.on_group(gtid(kOther + ":7")));
  EXPECT_TRUE(filter.ahead_of().empty());
}

TEST(GtidSetFilter, IsAheadOnlyOfTheServerThatWrites) {
  const MysqlGtidSet archive = set(kSource + ":1-5:tag:1");
  GtidSetFilter filter(set(kSource + ":1-7:tag:1-2," + kOther + ":1-9"));
  filter.begin(archive, gtid(kSource + ":1").tsid.uuid);
  EXPECT_EQ(filter.ahead_of().text(), kSource + ":6-7:tag:2");
  // It comes, and is not sent.
  EXPECT_FALSE(filter.on_group(gtid(kSource + ":6")));
  EXPECT_TRUE(filter.on_group(gtid(kSource + ":8")));
  EXPECT_EQ(filter.ahead_of().text(), kSource + ":7:tag:2");
  EXPECT_FALSE(filter.on_group(gtid(kSource + ":tag:2")));
  EXPECT_FALSE(filter.on_group(gtid(kSource + ":7")));
  EXPECT_TRUE(filter.ahead_of().empty());
  GtidSetFilter nobody_writes(set(kSource + ":1-7"));
  nobody_writes.begin(archive, std::nullopt);
  EXPECT_TRUE(nobody_writes.ahead_of().empty());
}

TEST(GtidSetFilter, SpeaksAsASource) {
  const auto purged = purged_error(set(kSource + ":5"), set(kSource + ":1-9:tag:1"));
  EXPECT_EQ(purged.code, kFatalDumpError);
  EXPECT_EQ(purged.message,
            "Cannot replicate because the source purged required binary logs. Replicate the "
            "missing transactions from elsewhere, or provision a new replica from backup. Consider "
            "increasing the source's binary log expiration period. The GTID set sent by the "
            "replica is '" +
                kSource + ":5', and the missing transactions are '" + kSource + ":1-4:6-9:tag:1'");
  // More than a server's own buffer holds.
  std::string many = kSource;
  for (int i = 1; i < 200; i += 2) many += ':' + std::to_string(i);
  const auto shortened = purged_error(set(many), set(kSource + ":1-500"));
  EXPECT_LE(shortened.message.size(), 512u);
  EXPECT_NE(shortened.message.find("too long to print in this message"), std::string::npos);
  EXPECT_EQ(more_gtids_error().code, kFatalDumpError);
}

}  // namespace
}  // namespace binlane
