// MySQL's GTID events, against a binlog that a MySQL 9.7 server wrote and described.

#include "shim/binlog/mysql_gtid_event.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "support/mysql_data.h"

namespace binlane {
namespace {

using test::MysqlEvent;

constexpr int kFiles = 8;

std::string file_name(int number) {
  return "binlog.00000" + std::to_string(number);
}

// "SET @@SESSION.GTID_NEXT= 'uuid:5'", as SHOW BINLOG EVENTS says it.
std::string as_shown(const MysqlGtidEvent& event) {
  return "SET @@SESSION.GTID_NEXT= '" + (event.gtid ? to_string(*event.gtid) : "ANONYMOUS") + "'";
}

std::optional<MysqlGtidEvent> parsed(const std::vector<std::byte>& event) {
  return parse_mysql_gtid_event(event, true);
}

TEST(MysqlGtidEvent, NamesTheGroupAsTheServerDoes) {
  std::map<std::pair<std::string, std::uint64_t>, std::string> shown;
  for (const auto& line : test::mysql_event_lines()) shown[{line.file, line.offset}] = line.info;
  std::map<EventType, int> seen;
  for (int number = 1; number <= kFiles; ++number) {
    for (const MysqlEvent& event : test::mysql_events(file_name(number))) {
      const auto found = parsed(event.bytes);
      ASSERT_EQ(found.has_value(), is_mysql_gtid(event.header.type));
      if (!found) continue;
      ++seen[event.header.type];
      EXPECT_EQ(as_shown(*found), (shown[{file_name(number), event.offset}]));
    }
  }
  EXPECT_EQ(seen[EventType::gtid_log], 31);
  EXPECT_EQ(seen[EventType::gtid_tagged_log], 8);
  EXPECT_EQ(seen[EventType::anonymous_gtid_log], 2);
}

// The length that the server wrote leads to the next event outside the group.
TEST(MysqlGtidEvent, KnowsTheGroupsLength) {
  int groups = 0;
  for (int number = 1; number <= kFiles; ++number) {
    std::uint64_t group_end = 0;
    for (const MysqlEvent& event : test::mysql_events(file_name(number))) {
      if (const auto found = parsed(event.bytes)) {
        EXPECT_TRUE(group_end == 0 || event.offset == group_end);
        group_end = event.offset + found->group_length;
        ++groups;
      } else if (group_end != 0 && event.header.type != EventType::rotate &&
                 event.header.type != EventType::stop) {
        EXPECT_LE(event.offset + event.header.length, group_end);
      } else if (group_end != 0) {
        EXPECT_EQ(event.offset, group_end);
      }
    }
  }
  EXPECT_EQ(groups, 41);
}

TEST(MysqlGtidEvent, TellsStatementsFromRows) {
  // groups.sql: a table, rows, and later a statement with a variable.
  std::map<std::uint64_t, bool> statements;
  for (const MysqlEvent& event : test::mysql_events("binlog.000001")) {
    if (const auto found = parsed(event.bytes))
      statements[found->gtid->gno] = found->may_have_statements();
  }
  // mysqlbinlog calls the ones without statements "rbr_only=yes".
  const std::map<std::uint64_t, bool> expected{
      {1, true},   {2, true},   {3, true},   {4, false},  {5, false},  {6, false},
      {7, false},  {8, true},   {9, false},  {10, true},  {11, false}, {12, true},
      {13, false}, {14, false}, {15, false}, {16, true},  {17, true},  {18, true},
      {19, true},  {20, true},  {21, true},  {22, false},
  };
  EXPECT_EQ(statements, expected);
}

TEST(MysqlGtidEvent, ListsWhatThePreviousFilesContain) {
  int lists = 0;
  for (const auto& line : test::mysql_event_lines()) {
    if (line.type != "Previous_gtids") continue;
    const MysqlEvent event = test::mysql_events(line.file).at(1);
    EXPECT_EQ(event.offset, line.offset);
    const auto set = parse_previous_gtids(event.bytes, true);
    ASSERT_TRUE(set) << line.file;
    EXPECT_EQ(set->text(), line.info);
    EXPECT_FALSE(parse_previous_gtids(ConstBytes(event.bytes).first(event.bytes.size() - 1), true));
    EXPECT_FALSE(parse_previous_gtids(event.bytes, false));
    EXPECT_FALSE(parsed(event.bytes));
    ++lists;
  }
  EXPECT_EQ(lists, kFiles);
  EXPECT_FALSE(parse_previous_gtids(test::mysql_events("binlog.000001").at(2).bytes, true));
}

// A lane keeps the front only, and gets the same GTID from it.
TEST(MysqlGtidEvent, TheFrontOfAnEventIsEnough) {
  for (int number = 1; number <= kFiles; ++number) {
    for (const MysqlEvent& event : test::mysql_events(file_name(number))) {
      if (!is_mysql_gtid(event.header.type)) continue;
      const auto whole = parsed(event.bytes);
      const ConstBytes front =
          ConstBytes(event.bytes)
              .first(std::min(event.bytes.size(), kEventHeaderSize + kMysqlGtidFront));
      const auto found = parse_mysql_gtid_event(front, true);
      ASSERT_TRUE(found);
      EXPECT_EQ(found->gtid, whole->gtid);
      EXPECT_EQ(found->flags, whole->flags);
    }
  }
}

std::vector<std::byte> tagged_body(const std::string& flags, const std::string& uuid,
                                   const std::string& gno, const std::string& tag,
                                   const std::string& head = "02ffffffffffffffffff00") {
  return test::from_hex(head + "00" + flags + "02" + uuid + "04" + gno + "06" + tag);
}

// The longest that every field can be, by hand: all bytes of the UUID above 127, the greatest
// number, 32 characters.
TEST(MysqlGtidEvent, TheLongestFrontIsLongEnough) {
  std::string uuid;
  for (int i = 0; i < 16; ++i) uuid += "fd03";  // 0xff in two bytes
  std::string tag = "40";                       // 32 in one byte
  for (int i = 0; i < 32; ++i) tag += "78";
  const auto body = tagged_body("fd03", uuid, "fffcffffffffffffff", tag);
  EXPECT_EQ(body.size(), kMysqlGtidFront);
  const auto found = parse_mysql_gtid_body(EventType::gtid_tagged_log, body);
  ASSERT_TRUE(found);
  EXPECT_EQ(to_string(*found->gtid), "ffffffff-ffff-ffff-ffff-ffffffffffff:" +
                                         std::string(32, 'x') + ":9223372036854775806");
  EXPECT_EQ(found->flags, 0xff);
  EXPECT_FALSE(
      parse_mysql_gtid_body(EventType::gtid_tagged_log, ConstBytes(body).first(body.size() - 1)));
}

TEST(MysqlGtidEvent, RefusesWhatIsNoTaggedEvent) {
  std::string uuid;
  for (int i = 0; i < 16; ++i) uuid += "02";
  const auto parse = [](const std::vector<std::byte>& body) {
    return parse_mysql_gtid_body(EventType::gtid_tagged_log, body).has_value();
  };
  ASSERT_TRUE(parse(tagged_body("02", uuid, "04", "0261")));
  EXPECT_FALSE(parse(tagged_body("02", uuid, "00", "0261")));                  // number 0
  EXPECT_FALSE(parse(tagged_body("02", uuid, "06", "0261")));                  // number -2
  EXPECT_FALSE(parse(tagged_body("02", uuid, "fffeffffffffffffff", "0261")));  // 2^63 - 1
  EXPECT_FALSE(parse(tagged_body("02", uuid, "04", "0231")));                  // tag "1"
  EXPECT_FALSE(parse(tagged_body("02", uuid, "04", "0661")));                  // tag cut off
  EXPECT_FALSE(parse(tagged_body("02", uuid, "04", "ffffffffffffffffff61")));  // the same
  EXPECT_FALSE(parse(tagged_body("0104", uuid, "04", "0261")));                // flags of 9 bits
  EXPECT_FALSE(parse(tagged_body("02", "0104" + uuid.substr(2), "04", "0261")));
  EXPECT_FALSE(parse(tagged_body("02", uuid, "04", "0261", "040000")));  // another version
  EXPECT_FALSE(parse(tagged_body("02", uuid, "04", "0261", "020018")));  // an unknown field
  EXPECT_FALSE(
      parse(test::from_hex("020000"
                           "0002"
                           "0404")));  // no UUID
}

// Every cut and every changed byte: nothing is read beyond the end (the sanitised build tells), and
// what is taken is a GTID.
TEST(MysqlGtidEvent, TakesAnyBytes) {
  std::mt19937_64 random(5);
  for (const char* const file : {"binlog.000002", "binlog.000005"}) {
    for (const MysqlEvent& event : test::mysql_events(file)) {
      if (!is_mysql_gtid(event.header.type)) continue;
      for (std::size_t length = 0; length < event.bytes.size(); ++length) {
        // An allocation of exactly this size, so that reading beyond it is seen.
        const std::vector<std::byte> cut(event.bytes.begin(),
                                         event.bytes.begin() + static_cast<std::ptrdiff_t>(length));
        const auto found = parsed(cut);
        EXPECT_TRUE(!found || found->gtid == parsed(event.bytes)->gtid);
      }
      for (int round = 0; round < 2000; ++round) {
        auto bytes = event.bytes;
        for (int i = 0; i <= round % 3; ++i)
          bytes[kEventHeaderSize + random() % (bytes.size() - kEventHeaderSize)] =
              static_cast<std::byte>(random());
        const auto found = parsed(bytes);
        if (!found || !found->gtid) continue;
        EXPECT_EQ(parse_mysql_gtid(to_string(*found->gtid)), found->gtid);
      }
    }
  }
}

// MySQL 5.7 wrote nothing after the logical clock, and 5.6 not even that.
TEST(MysqlGtidEvent, OlderServersDoNotTellTheLength) {
  const std::string gtid = "013e11fa4771ca11e19e33c80aa94295620700000000000000";
  const std::string clock =
      "02"
      "0100000000000000"
      "0200000000000000";
  for (const std::string& body : {gtid, gtid + clock}) {
    const auto found = parse_mysql_gtid_body(EventType::gtid_log, test::from_hex(body));
    ASSERT_TRUE(found);
    EXPECT_EQ(to_string(*found->gtid), "3e11fa47-71ca-11e1-9e33-c80aa9429562:7");
    EXPECT_EQ(found->group_length, 0U);
  }
  // With the original commit time and a length of three bytes, as on a replica.
  const auto found = parse_mysql_gtid_body(
      EventType::gtid_log,
      test::from_hex(gtid + clock + "01000000000080" + "02000000000000" + "fd010203"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->group_length, 0x030201U);
}

}  // namespace
}  // namespace binlane
