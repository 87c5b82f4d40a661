// Gtid and GtidSet: one value for both servers' transactions.

#include "shim/binlog/gtid_set.h"

#include <gtest/gtest.h>

namespace binlane {
namespace {

constexpr GtidGrammar kMariadb = GtidGrammar::mariadb;
constexpr GtidGrammar kMysql = GtidGrammar::mysql;
const std::string kUuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

GtidSet set_of(GtidGrammar grammar, const std::string& text) {
  return GtidSet::parse(grammar, text).value();
}
Gtid gtid(const std::string& text) {
  return parse_any_gtid(text).value();
}

TEST(Gtid, IsOfEitherServer) {
  EXPECT_EQ(to_string(gtid("3-1-42")), "3-1-42");
  EXPECT_NE(gtid("3-1-42").mariadb(), nullptr);
  EXPECT_EQ(gtid("3-1-42").mysql(), nullptr);
  for (const std::string& text : {kUuid + ":42", kUuid + ":tag:42"}) {
    EXPECT_EQ(to_string(gtid(text)), text);
    EXPECT_NE(gtid(text).mysql(), nullptr);
    EXPECT_EQ(gtid(text).mariadb(), nullptr);
    EXPECT_FALSE(gtid(text).is_anonymous());
  }
  EXPECT_TRUE(Gtid().is_anonymous());
  EXPECT_EQ(to_string(Gtid()), "ANONYMOUS");
  for (const char* const text :
       {"", "42", "0-1", "0-1-2-3", "0-1-42,", "binlog.000001:42", "binlog:42", "ANONYMOUS"})
    EXPECT_FALSE(parse_any_gtid(text)) << text;
}

TEST(Gtid, IsEqualToItselfAlone) {
  const Gtid all[] = {
      Gtid(),         gtid("0-1-42"),      gtid("0-1-43"),          gtid("0-2-42"),
      gtid("1-1-42"), gtid(kUuid + ":42"), gtid(kUuid + ":tag:42"), gtid(kUuid + ":43")};
  for (const Gtid& one : all) {
    for (const Gtid& other : all) EXPECT_EQ(one == other, &one == &other);
  }
}

// The versions are of format description events.
TEST(GtidSet, TheFormatDescriptionsVersionTellsTheGrammar) {
  for (const char* const version : {"10.11.19-MariaDB", "11.8.9-MariaDB-0+deb13u1-log",
                                    "5.5.5-10.6.12-MariaDB-1:10.6.12+maria~ubu2004-log"})
    EXPECT_EQ(grammar_of(version), kMariadb) << version;
  for (const char* const version : {"9.7.4-2", "8.4.0", "8.0.36-28 Percona", "5.7.44-log", ""})
    EXPECT_EQ(grammar_of(version), kMysql) << version;
}

TEST(GtidSet, ReadsAndWritesBothGrammars) {
  EXPECT_EQ(set_of(kMariadb, "7-2-9, 0-1-5").text(), "0-1-5,7-2-9");
  EXPECT_EQ(set_of(kMysql, kUuid + ":1-3:4").text(), kUuid + ":1-4");
  EXPECT_EQ(set_of(kMariadb, "0-1-5").grammar(), kMariadb);
  EXPECT_EQ(set_of(kMysql, "").grammar(), kMysql);
  EXPECT_FALSE(GtidSet::parse(kMariadb, kUuid + ":1"));
  EXPECT_FALSE(GtidSet::parse(kMysql, "0-1-5"));
  for (const GtidGrammar grammar : {kMariadb, kMysql}) {
    EXPECT_TRUE(GtidSet(grammar).empty());
    EXPECT_EQ(GtidSet(grammar).grammar(), grammar);
    EXPECT_EQ(GtidSet(grammar).text(), "");
    EXPECT_TRUE(set_of(grammar, " ").empty());
  }
  EXPECT_FALSE(set_of(kMysql, kUuid + ":1").empty());
  EXPECT_FALSE(set_of(kMariadb, "0-1-5").empty());
}

TEST(GtidSet, CoversAsTheServersDo) {
  const GtidSet position = set_of(kMariadb, "0-1-5,7-2-9");
  EXPECT_TRUE(position.covers(set_of(kMariadb, "0-3-5")));
  EXPECT_TRUE(position.covers(set_of(kMariadb, "")));
  EXPECT_FALSE(position.covers(set_of(kMariadb, "0-1-6")));
  EXPECT_FALSE(position.covers(set_of(kMariadb, "1-1-1")));
  const GtidSet set = set_of(kMysql, kUuid + ":1-5:7");
  EXPECT_TRUE(set.covers(set_of(kMysql, kUuid + ":2:7")));
  EXPECT_TRUE(set.covers(GtidSet(kMysql)));
  EXPECT_FALSE(set.covers(set_of(kMysql, kUuid + ":6")));
  // Of the other grammar: nobody has compared them.
  EXPECT_FALSE(set.covers(GtidSet(kMariadb)));
  EXPECT_FALSE(position.covers(GtidSet(kMysql)));
}

TEST(GtidSet, ContainsAndAdds) {
  GtidSet position = set_of(kMariadb, "0-1-5");
  EXPECT_TRUE(position.contains(gtid("0-1-5")));
  EXPECT_TRUE(position.contains(gtid("0-2-1")));
  EXPECT_FALSE(position.contains(gtid("0-1-6")));
  EXPECT_FALSE(position.contains(gtid("1-1-1")));
  EXPECT_TRUE(position.add(gtid("0-2-6")));
  EXPECT_TRUE(position.add(gtid("1-1-1")));
  EXPECT_EQ(position.text(), "0-2-6,1-1-1");

  GtidSet set = set_of(kMysql, kUuid + ":1-5");
  EXPECT_FALSE(set.contains(gtid(kUuid + ":7")));
  EXPECT_TRUE(set.add(gtid(kUuid + ":7")));
  EXPECT_TRUE(set.contains(gtid(kUuid + ":7")));
  EXPECT_FALSE(set.contains(gtid(kUuid + ":6")));
  EXPECT_EQ(set.text(), kUuid + ":1-5:7");

  for (GtidSet* const each : {&position, &set}) {
    const std::string before = each->text();
    EXPECT_FALSE(each->add(Gtid()));
    EXPECT_FALSE(each->contains(Gtid()));
    EXPECT_FALSE(each->add(gtid(each == &set ? "0-1-7" : kUuid + ":1")));
    EXPECT_FALSE(each->contains(gtid(each == &set ? "0-1-1" : kUuid + ":1")));
    EXPECT_EQ(each->text(), before);
  }
}

TEST(GtidSet, IsBounded) {
  GtidSet position(kMariadb);
  for (std::uint32_t domain = 0; domain < GtidPosition::kMaxDomains; ++domain)
    ASSERT_TRUE(position.add(GtidEntry{domain, 1, 1}));
  EXPECT_FALSE(position.add(GtidEntry{GtidPosition::kMaxDomains, 1, 1}));
  EXPECT_TRUE(position.add(GtidEntry{5, 1, 2}));
  EXPECT_EQ(position.mariadb()->size(), GtidPosition::kMaxDomains);
}

}  // namespace
}  // namespace binlane
