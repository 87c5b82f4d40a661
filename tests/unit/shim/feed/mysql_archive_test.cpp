// The archive of a MySQL source: groups, searches and sets of GTIDs, against what the server said
// of its own binlog; and the same questions about a MariaDB source's.

#include <gtest/gtest.h>

#include <filesystem>

#include "feed_binlog.h"
#include "shim/feed/applied_groups.h"
#include "shim/feed/archive_gtids.h"
#include "shim/feed/binlog_groups.h"
#include "shim/feed/fixed_feed_limit.h"
#include "support/mysql_data.h"

namespace binlane::mysql_archive_test {

constexpr std::uint32_t kFiles = 8;

ArchivePlace mysql_place() {
  return {std::string(BINLANE_TEST_DATA) + "/mysql", "binlog"};
}
ArchivePlace mariadb_place() {
  return {BINLANE_TEST_DATA, "groups"};
}

struct Group {
  std::string gtid;
  Position begin;
  Position end;

  bool operator==(const Group&) const = default;
};

// The groups as SHOW BINLOG EVENTS lists them: each goes up to the next one, or to the event that
// ends the file.
std::vector<Group> groups_of_server() {
  std::vector<Group> groups;
  for (const auto& line : test::mysql_event_lines()) {
    const std::uint32_t file = binlog_file_number(line.file);
    const bool begins = line.info.starts_with("SET @@SESSION.GTID_NEXT=");
    const bool ends_file = line.type == "Rotate" || line.type == "Stop";
    if (begins || ends_file) {
      if (!groups.empty() && groups.back().end.is_null()) groups.back().end = {file, line.offset};
    }
    if (!begins) continue;
    const std::size_t quote = line.info.find('\'') + 1;
    groups.push_back(
        {line.info.substr(quote, line.info.rfind('\'') - quote), {file, line.offset}, {}});
  }
  // The last file had no end yet when the server listed it.
  groups.back().end = {kFiles, 794};
  return groups;
}

Gtid gtid(const std::string& text) {
  return parse_any_gtid(text).value();
}

TEST(MysqlArchive, HasTheGroupsThatTheServerLists) {
  std::vector<Group> found;
  EXPECT_EQ(read_groups(mysql_place(), {1, 0}, kFiles,
                        [&](const BinlogGroup& group) {
                          found.push_back({to_string(group.gtid), group.begin, group.end});
                          return true;
                        }),
            "");
  const auto expected = groups_of_server();
  EXPECT_EQ(expected.size(), 41U);
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].gtid, expected[i].gtid);
    EXPECT_EQ(found[i].begin, expected[i].begin) << found[i].gtid;
    EXPECT_EQ(found[i].end, expected[i].end) << found[i].gtid;
  }
}

TEST(MysqlArchive, FindsEveryGtid) {
  for (const Group& group : groups_of_server()) {
    if (group.gtid == "ANONYMOUS") continue;
    const GroupSearch search = find_group(mysql_place(), 1, kFiles, gtid(group.gtid));
    ASSERT_TRUE(search.found) << group.gtid << ": " << search.problem;
    EXPECT_EQ(search.found->end, group.end);
    EXPECT_FALSE(search.absent);
  }
}

TEST(MysqlArchive, FindsWhatEndsAtAPosition) {
  const auto groups = groups_of_server();
  for (const Group& group : groups) {
    const GroupSearch at_end = find_group_end(mysql_place(), group.end);
    ASSERT_TRUE(at_end.found) << group.gtid << ": " << at_end.problem;
    EXPECT_EQ(at_end.found->end, group.end);
    // Within a group nothing ends: the group that contains the position is named.
    const GroupSearch within =
        find_group_end(mysql_place(), {group.begin.file, group.begin.offset + 1});
    ASSERT_TRUE(within.found);
    EXPECT_EQ(within.found->end, group.end);
  }
  const GroupSearch beginning = find_group_end(mysql_place(), {1, 1});
  ASSERT_TRUE(beginning.found);
  EXPECT_EQ(beginning.found->end, groups.front().end);
  const GroupSearch after = find_group_end(mysql_place(), {1, 1 << 30});
  EXPECT_FALSE(after.found);
  EXPECT_TRUE(after.absent) << after.problem;
  EXPECT_NE(find_group_end(mysql_place(), {99, 4}).problem, "");
}

TEST(MysqlArchive, KnowsWhatIsAbsent) {
  const std::string own = "5f1e7a70-0001-4b00-8000-00000000000a";
  for (const std::string& text : {own + ":27", own + ":tag:1", own + ":binlane:6",
                                  std::string("11111111-2222-3333-4444-555555555555:4"),
                                  std::string("12345678-2222-3333-4444-555555555555:1")}) {
    const GroupSearch search = find_group(mysql_place(), 1, kFiles, gtid(text));
    EXPECT_TRUE(search.absent) << text << ": " << search.problem;
    EXPECT_FALSE(search.found);
  }
  // The second file lists what the first contains.
  const GroupSearch before = find_group(mysql_place(), 2, kFiles, gtid(own + ":3"));
  EXPECT_FALSE(before.absent || before.found);
  EXPECT_EQ(before.problem, "the files do not reach back that far");
}

// Nobody knows of a transaction of the other server's kind: it is not proven absent.
TEST(MysqlArchive, AnotherServersGtidIsNoQuestion) {
  const GroupSearch mysql = find_group(mysql_place(), 1, kFiles, gtid("0-1-5"));
  EXPECT_FALSE(mysql.absent || mysql.found);
  EXPECT_EQ(mysql.problem, "the files are those of a server with another kind of GTIDs (9.7.4-2)");
  const GroupSearch mariadb =
      find_group(mariadb_place(), 1, 2, gtid("5f1e7a70-0001-4b00-8000-00000000000a:1"));
  EXPECT_FALSE(mariadb.absent || mariadb.found);
  EXPECT_NE(mariadb.problem.find("another kind of GTIDs (10.11"), std::string::npos);
}

TEST(MysqlArchive, AMariadbSourcesArchiveIsSearchedAsBefore) {
  std::vector<BinlogGroup> groups;
  EXPECT_EQ(read_groups(mariadb_place(), {1, 0}, 2,
                        [&](const BinlogGroup& group) {
                          groups.push_back(group);
                          return true;
                        }),
            "");
  ASSERT_EQ(groups.size(), 40U);  // as many as there are GTID events
  for (const BinlogGroup& group : groups) {
    ASSERT_NE(group.gtid.mariadb(), nullptr);
    const GroupSearch search = find_group(mariadb_place(), 1, 2, group.gtid);
    ASSERT_TRUE(search.found) << to_string(group.gtid) << search.problem;
    EXPECT_EQ(search.found->end, group.end);
  }
  GtidEntry next = *groups.back().gtid.mariadb();
  ++next.sequence;
  EXPECT_TRUE(find_group(mariadb_place(), 1, 2, next).absent);
}

std::string executed(const ArchivePlace& place, Position at) {
  FixedFeedLimit limit;
  limit.set(at);
  ArchiveGtids gtids(place, limit, [] { return false; });
  const auto set = gtids.executed();
  return set ? set->text() : "error: " + gtids.error();
}

// At the end of a file it is what the next one lists; and also before that list is released.
TEST(ExecutedSet, IsWhatTheNextFileLists) {
  const auto place = mysql_place();
  for (const auto& line : test::mysql_event_lines()) {
    if (line.type != "Previous_gtids") continue;
    const std::uint32_t file = binlog_file_number(line.file);
    EXPECT_EQ(executed(place, {file, line.end}), line.info) << line.file;
    // The fifth has anonymous groups, and the first follows none.
    if (file == 1 || file == 6) continue;
    for (const std::uint64_t offset : {std::uint64_t{0}, line.offset})
      EXPECT_EQ(executed(place, {file, offset}), line.info) << line.file << ' ' << offset;
    const std::uint64_t previous_size = std::filesystem::file_size(place.path(file - 1));
    EXPECT_EQ(executed(place, {file - 1, previous_size}), line.info) << line.file;
  }
}

// Step by step through one file: each group adds its own GTID when it is whole.
TEST(ExecutedSet, GrowsWithEveryGroup) {
  const auto place = mysql_place();
  GtidSet expected(GtidGrammar::mysql);
  int seen = 0;
  for (const Group& group : groups_of_server()) {
    if (group.begin.file > 2) break;
    EXPECT_EQ(executed(place, group.begin), expected.text());
    ASSERT_TRUE(expected.add(gtid(group.gtid)));
    EXPECT_EQ(executed(place, group.end), expected.text());
    ++seen;
  }
  EXPECT_EQ(seen, 35);
}

TEST(ExecutedSet, GroupsWithoutAGtidMakeItUnknown) {
  const auto place = mysql_place();
  const std::uint64_t size = std::filesystem::file_size(place.path(5));
  EXPECT_EQ(executed(place, {5, size}), "error: the group at binlog.000005:502 has no GTID");
  EXPECT_EQ(executed(place, {}), "error: nothing is released yet");
}

TEST(ExecutedSet, IsAPositionOnMariadb) {
  const auto place = mariadb_place();
  const std::uint64_t size = std::filesystem::file_size(place.path(2));
  FixedFeedLimit limit;
  limit.set({2, size});
  ArchiveGtids gtids(place, limit, [] { return false; });
  const auto history = gtids.history();
  ASSERT_TRUE(history);
  EXPECT_EQ(executed(place, {2, size}), history->position().text());
  EXPECT_EQ(GtidPosition::parse(executed(place, {2, size}))->size(), 2U);
}

// What a MySQL server has executed, as AppliedGroups sees it.
TEST(MysqlApplied, ShowsTheUnbrokenBeginningThatIsExecuted) {
  const std::string uuid = "5f1e7a70-0001-4b00-8000-00000000000a";
  const auto set = [&uuid](const std::string& numbers) {
    return GtidSet::parse(GtidGrammar::mysql, uuid + numbers).value();
  };
  AppliedGroups groups;
  groups.add(set(":1-5:tag:1"), {1, 100});
  groups.add(set(":6"), {1, 200});
  groups.add(set(":tag:2"), {1, 300});
  groups.add(set(":7"), {2, 50});
  EXPECT_TRUE(groups.take_executed(set(":1-7")).is_null()) << "a tag is missing";
  EXPECT_TRUE(groups.take_executed(set(":2-7:tag:1-2")).is_null()) << "the first is missing";
  EXPECT_EQ(groups.take_executed(set(":1-5:7:tag:1")), (Position{1, 100})) << "6 is missing";
  EXPECT_EQ(groups.take_executed(set(":1-7:tag:1")), (Position{1, 200}));
  EXPECT_EQ(groups.take_executed(set(":1-7:tag:1-2")), (Position{2, 50}));
  EXPECT_TRUE(groups.empty());
}

}  // namespace binlane::mysql_archive_test
