// MySQL's GTIDs and GTID sets, against what a MySQL 9.7 server says.

#include "shim/binlog/mysql_gtid_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "support/mysql_data.h"

namespace binlane::mysql_gtid_set_test {

constexpr const char* kUuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

MysqlGtid gtid(const std::string& rest) {
  return parse_mysql_gtid(kUuid + rest).value();
}
MysqlGtidSet set_of(const std::string& text) {
  return MysqlGtidSet::parse(text).value();
}

TEST(MysqlGtidSet, ReadsAndWritesTextAsTheServerInOneLine) {
  std::size_t seen = 0;
  for (const auto& row : test::mysql_table("gtid_sets.tsv")) {
    if (row[0] != "text") continue;
    ++seen;
    const auto set = MysqlGtidSet::parse(row[1]);
    EXPECT_EQ(set ? set->server_text() : "!", row[2]) << row[1];
    EXPECT_EQ(set ? set->text() : "!", test::in_one_line(row[2])) << row[1];
    if (!set) continue;
    EXPECT_EQ(set->text().empty(), set->empty());
    EXPECT_EQ(MysqlGtidSet::parse(set->text()), set);
  }
  EXPECT_GT(seen, 80U);
}

TEST(MysqlGtidSet, ComparesSubtractsAndJoinsAsTheServer) {
  std::size_t seen = 0;
  for (const auto& row : test::mysql_table("gtid_sets.tsv")) {
    if (row[0] != "sets") continue;
    ++seen;
    const MysqlGtidSet one = set_of(row[1]);
    const MysqlGtidSet other = set_of(row[2]);
    EXPECT_EQ(one.covers(other) ? "1" : "0", row[3]) << row[1] << " | " << row[2];
    EXPECT_EQ(one.minus(other).text(), test::in_one_line(row[4])) << row[1] << " | " << row[2];
    MysqlGtidSet sum = one;
    EXPECT_TRUE(sum.add(other));
    EXPECT_EQ(sum.text(), test::in_one_line(row[5])) << row[1] << " | " << row[2];
    EXPECT_EQ(sum, set_of(row[1] + "," + row[2]));
  }
  EXPECT_EQ(seen, 169U);
}

TEST(MysqlGtidSet, OneGtidHasTheTextThatTheServerShows) {
  std::size_t seen = 0;
  for (const auto& line : test::mysql_event_lines()) {
    if (line.type != "Gtid" && line.type != "Gtid_tagged_log_event") continue;
    const std::size_t begin = line.info.find('\'') + 1;
    const std::string text = line.info.substr(begin, line.info.rfind('\'') - begin);
    const auto one = parse_mysql_gtid(text);
    ASSERT_TRUE(one) << text;
    EXPECT_EQ(to_string(*one), text);
    ++seen;
  }
  EXPECT_EQ(seen, 39U);
  const std::string uuid = kUuid;
  for (const std::string bad : {"", ":", ":0", ":1-2", ":1:2", ":a", ":a:", ":a:b:1", ":1,", " 1",
                                ":9223372036854775807", ":-1", ":1x"})
    EXPECT_FALSE(parse_mysql_gtid(uuid + bad)) << bad;
  EXPECT_FALSE(parse_mysql_gtid(""));
  EXPECT_FALSE(parse_mysql_gtid("0-1-42"));
  EXPECT_FALSE(parse_mysql_gtid("binlog.000001:4"));
}

// Any order of adding gives the same set, with the right number of intervals at every step.
TEST(MysqlGtidSet, GtidsMayBeAddedInAnyOrder) {
  std::mt19937_64 random(7);
  std::vector<MysqlGtid> all;
  for (std::uint64_t gno = 1; gno <= 40; ++gno) {
    all.push_back(gtid(":" + std::to_string(gno)));
    all.push_back(gtid(":tag:" + std::to_string(gno + 7)));
  }
  for (int round = 0; round < 50; ++round) {
    std::shuffle(all.begin(), all.end(), random);
    MysqlGtidSet set;
    std::string text;
    for (const MysqlGtid& one : all) {
      EXPECT_FALSE(set.contains(one));
      ASSERT_TRUE(set.add(one));
      EXPECT_TRUE(set.contains(one));
      text += to_string(one) + ",";
      const MysqlGtidSet parsed = set_of(text);
      ASSERT_EQ(set, parsed) << text;
      std::size_t intervals = 0;
      for (const auto& entry : set.by_tsid()) intervals += entry.second.size();
      EXPECT_EQ(set.size(), intervals);
      ASSERT_TRUE(set.add(one));
      ASSERT_EQ(set, parsed);
    }
    EXPECT_EQ(set.text(), std::string(kUuid) + ":1-40:tag:8-47");
  }
}

TEST(MysqlGtidSet, MembersAreFoundAtTheEdgesOfIntervals) {
  const MysqlGtidSet set = set_of(std::string(kUuid) + ":2-4:9:tag:1");
  for (const auto& [rest, held] :
       std::initializer_list<std::pair<const char*, bool>>{{":1", false},
                                                           {":2", true},
                                                           {":4", true},
                                                           {":5", false},
                                                           {":8", false},
                                                           {":9", true},
                                                           {":10", false},
                                                           {":9223372036854775806", false},
                                                           {":tag:1", true},
                                                           {":tag:2", false},
                                                           {":other:1", false}})
    EXPECT_EQ(set.contains(gtid(rest)), held) << rest;
}

TEST(MysqlGtidSet, EncodesAsTheServersPreviousGtids) {
  std::size_t seen = 0;
  const auto lines = test::mysql_event_lines();
  for (const auto& line : lines) {
    if (line.type != "Previous_gtids") continue;
    const auto event = test::mysql_events(line.file).at(1);
    const ConstBytes body =
        ConstBytes(event.bytes)
            .subspan(kEventHeaderSize, event.bytes.size() - kEventHeaderSize - kEventChecksumSize);
    const auto set = MysqlGtidSet::decode(body);
    ASSERT_TRUE(set) << line.file;
    EXPECT_EQ(set->text(), line.info);
    EXPECT_EQ(set->encode(MysqlGtidEncoding::tagged), std::vector(body.begin(), body.end()));
    ++seen;
  }
  EXPECT_EQ(seen, 8U);
}

// mysqlbinlog 9.7 sent it, with this set as --exclude-gtids.
TEST(MysqlGtidSet, EncodesAsAClientsDumpRequest) {
  const auto bytes = test::from_hex(
      "01030000000000011111111122223333444455555555555500020000000000000001000000000000000400000000"
      "0000"
      "000500000000000000060000000000000011111111222233334444555555555555027801000000000000000010a5"
      "d4e8"
      "0000000110a5d4e80000005f1e7a7000014b00800000000000000a00010000000000000001000000000000000600"
      "0000"
      "00000000");
  const MysqlGtidSet set = set_of(
      "11111111-2222-3333-4444-555555555555:1-3:5:x:1000000000000,"
      "5f1e7a70-0001-4b00-8000-00000000000a:1-5");
  EXPECT_EQ(MysqlGtidSet::decode(bytes), set);
  EXPECT_EQ(set.encode(MysqlGtidEncoding::tagged), bytes);
}

TEST(MysqlGtidSet, ThePlainEncodingLeavesTagsOut) {
  const MysqlGtidSet set = set_of(std::string(kUuid) + ":1-3:7:tag:1");
  const auto bytes = set.encode(MysqlGtidEncoding::plain);
  EXPECT_EQ(bytes, test::from_hex("0100000000000000"
                                  "3e11fa4771ca11e19e33c80aa9429562"
                                  "0200000000000000"
                                  "01000000000000000400000000000000"
                                  "07000000000000000800000000000000"));
  EXPECT_EQ(MysqlGtidSet::decode(bytes), set_of(std::string(kUuid) + ":1-3:7"));
  EXPECT_EQ(MysqlGtidSet().encode(MysqlGtidEncoding::plain), test::from_hex("0000000000000000"));
  EXPECT_EQ(MysqlGtidSet().encode(MysqlGtidEncoding::tagged), test::from_hex("0100000000000001"));
}

TEST(MysqlGtidSet, RefusesWhatIsNoEncoding) {
  const std::string uuid = "3e11fa4771ca11e19e33c80aa9429562";
  const std::string one = "0100000000000000";
  const std::string plain = one + uuid + one;
  ASSERT_TRUE(MysqlGtidSet::decode(test::from_hex(plain + one + "0200000000000000")));
  for (const std::string& bad : {
           std::string(), std::string("00000000000000"),
           plain,                                                       // no interval follows
           plain + one + "0200000000000000" + "00",                     // something follows
           plain + "0000000000000000" + one,                            // begins with 0
           plain + one + one,                                           // empty
           plain + "0200000000000000" + one,                            // backwards
           plain + one + "0000000000000080",                            // beyond the last number
           one + uuid + "ffffffffffffffff" + one + "0200000000000000",  // a hostile count
           "ffffffffffffff00" + uuid + one + one + "0200000000000000",  // the same, of TSIDs
           one + uuid + "0200000000000000" + one + "0300000000000000" + "0300000000000000" +
               "0400000000000000",  // intervals that touch
           "0100000000000002" + uuid + "00" + one + one + "0200000000000000",    // unknown encoding
           "0001000000000001" + uuid + "00" + one + one + "0200000000000000",    // the same
           "0101000000000001" + uuid + "0231" + one + one + "0200000000000000",  // tag "1"
           "0101000000000001" + uuid + "0241" + one + one,                       // ends early
           "0101000000000001" + uuid + "fffffffffffffffffff" + one + one,        // tag's length
       })
    EXPECT_FALSE(MysqlGtidSet::decode(test::from_hex(bad))) << bad;
}

// A stranger may list a TSID as often as there is room, and in any order; it takes no longer.
TEST(MysqlGtidSet, ATsidMayBeListedAgain) {
  constexpr std::uint64_t kTimes = MysqlGtidSet::kMaxIntervals;
  const auto one = set_of(std::string(kUuid) + ":1").encode(MysqlGtidEncoding::plain);
  std::vector<std::byte> bytes(one.begin(), one.begin() + 8);
  store_le<std::uint64_t>(bytes.data(), kTimes);
  for (std::uint64_t i = 0; i < kTimes; ++i) {
    bytes.insert(bytes.end(), one.begin() + 8, one.end());
    const std::uint64_t gno = 2 * (kTimes - i);
    store_le<std::uint64_t>(bytes.data() + bytes.size() - 16, gno);
    store_le<std::uint64_t>(bytes.data() + bytes.size() - 8, gno + 1 + i % 2);
  }
  const auto set = MysqlGtidSet::decode(bytes);
  ASSERT_TRUE(set);
  EXPECT_EQ(set->size(), kTimes / 2);
  EXPECT_TRUE(set->text().starts_with(std::string(kUuid) + ":2-4:6-8:"))
      << set->text().substr(0, 80);
}

// Every cut and every changed byte of a real encoding: no crash, and what is taken is a set.
TEST(MysqlGtidSet, DecodesAnyBytes) {
  const auto event = test::mysql_events("binlog.000003").at(1);
  const std::vector<std::byte> whole(event.bytes.begin() + kEventHeaderSize,
                                     event.bytes.end() - kEventChecksumSize);
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_FALSE(MysqlGtidSet::decode(ConstBytes(whole).first(length))) << length;
  std::mt19937_64 random(11);
  for (int round = 0; round < 20'000; ++round) {
    auto bytes = whole;
    for (int i = 0; i <= round % 3; ++i)
      bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    if (const auto set = MysqlGtidSet::decode(bytes)) {
      EXPECT_EQ(MysqlGtidSet::parse(set->text()), set);
      EXPECT_EQ(MysqlGtidSet::decode(set->encode(MysqlGtidEncoding::tagged)), set);
    }
  }
}

TEST(MysqlGtidSet, IsBounded) {
  std::string text = kUuid;
  for (std::size_t i = 0; i < MysqlGtidSet::kMaxIntervals; ++i)
    text += ":" + std::to_string(2 * i + 1);
  auto set = MysqlGtidSet::parse(text);
  ASSERT_TRUE(set);
  EXPECT_EQ(set->size(), MysqlGtidSet::kMaxIntervals);
  EXPECT_FALSE(MysqlGtidSet::parse(text + ":1"));
  // What needs no further interval still fits.
  EXPECT_TRUE(set->add(gtid(":1")));
  EXPECT_FALSE(set->add(gtid(":tag:1")));
  EXPECT_FALSE(set->add(set_of(std::string(kUuid) + ":tag:1")));
  EXPECT_FALSE(set->add(gtid(":9223372036854775806")));
  EXPECT_EQ(set->text(), MysqlGtidSet::parse(text)->text());
  EXPECT_TRUE(set->add(gtid(":2")));
  EXPECT_EQ(set->size(), MysqlGtidSet::kMaxIntervals - 1);
  EXPECT_TRUE(set->add(gtid(":tag:1")));
  EXPECT_EQ(set->size(), MysqlGtidSet::kMaxIntervals);
  const auto bytes = set->encode(MysqlGtidEncoding::tagged);
  EXPECT_EQ(MysqlGtidSet::decode(bytes), set);
}

}  // namespace binlane::mysql_gtid_set_test
