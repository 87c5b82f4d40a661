// MysqlGtidState and PreviousGtidsReader: what a lane keeps of MySQL's GTID sets.

#include "shim/binlog/mysql_gtid_state.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "shim/binlog/mysql_gtid_set.h"
#include "shim/binlog/previous_gtids_reader.h"
#include "support/allocation_counter.h"
#include "support/mysql_data.h"

namespace binlane::mysql_gtid_state_test {

constexpr const char* kUuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

MysqlGtid gtid(const std::string& text) {
  return parse_mysql_gtid(text).value();
}

MysqlGtidState state_of(const MysqlGtidSet& set) {
  MysqlGtidState state;
  for (const auto& [tsid, intervals] : set.by_tsid()) {
    for (const GnoInterval& interval : intervals) state.add(tsid, interval);
  }
  return state;
}

MysqlGtidState state_of(const std::string& text) {
  return state_of(MysqlGtidSet::parse(text).value());
}

PreviousGtidsReader reader_of(ConstBytes body) {
  PreviousGtidsReader reader;
  reader.begin(static_cast<std::uint32_t>(body.size()));
  while (const std::uint32_t length = reader.wanted()) {
    EXPECT_LE(length, PreviousGtidsReader::kMaxPiece);
    // An allocation of exactly this size, so that reading beyond it is seen.
    const std::vector<std::byte> piece(body.begin(), body.begin() + length);
    reader.take(piece);
    body = body.subspan(length);
  }
  EXPECT_TRUE(!reader.complete() || body.empty());
  return reader;
}

std::vector<std::byte> previous_gtids(const std::string& file) {
  const auto event = test::mysql_events(file).at(1);
  return {event.bytes.begin() + kEventHeaderSize, event.bytes.end() - kEventChecksumSize};
}

// The set of arbitrary size is the model; in any order, and with gaps that are filled later.
TEST(MysqlGtidState, HoldsWhatTheSetHolds) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 200; ++round) {
    MysqlGtidSet set;
    MysqlGtidState state;
    for (int i = 0; i < 150; ++i) {
      const std::string source = std::string(kUuid) + (random() % 2 == 0 ? "" : ":tag");
      const std::uint64_t gno = 1 + random() % 60;
      if (random() % 4 == 0) {
        const std::uint64_t last = gno + random() % 5;
        const auto text = source + ":" + std::to_string(gno) + "-" + std::to_string(last);
        ASSERT_TRUE(set.add(MysqlGtidSet::parse(text).value()));
        state.add(gtid(source + ":1").tsid, {gno, last + 1});
      } else {
        const MysqlGtid one = gtid(source + ":" + std::to_string(gno));
        const bool held = set.contains(one);
        EXPECT_EQ(state.contains(one), held);
        EXPECT_EQ(state_of(set).same_as(state), true);
        ASSERT_TRUE(set.add(one));
        state.add(one);
        EXPECT_TRUE(state.contains(one));
      }
      ASSERT_TRUE(state.same_as(state_of(set))) << set.text();
      ASSERT_EQ(state.overflow(), 0U);
    }
  }
}

TEST(MysqlGtidState, NamesWhatTheOtherOneLacks) {
  const std::string a = kUuid;
  const std::string b = "11111111-2222-3333-4444-555555555555";
  for (const auto& row : test::mysql_table("gtid_sets.tsv")) {
    if (row[0] != "sets") continue;
    const MysqlGtidState one = state_of(row[1]);
    const MysqlGtidState other = state_of(row[2]);
    // GTID_SUBTRACT(A, B) is empty, or contains what is named.
    const auto missing = one.missing_in(other);
    EXPECT_EQ(missing.has_value(), !row[4].empty()) << row[1] << " | " << row[2];
    EXPECT_TRUE(!missing || MysqlGtidSet::parse(row[4])->contains(*missing));
    EXPECT_EQ(one.same_as(other), MysqlGtidSet::parse(row[1]) == MysqlGtidSet::parse(row[2]));
  }
  EXPECT_EQ(state_of(a + ":1-9").missing_in(state_of(a + ":1-4:7-9")), gtid(a + ":5"));
  EXPECT_EQ(state_of(a + ":1-9").missing_in(state_of(a + ":2-9")), gtid(a + ":1"));
  EXPECT_EQ(state_of(a + ":1:tag:3").missing_in(state_of(a + ":1-9")), gtid(a + ":tag:3"));
  EXPECT_EQ(state_of(b + ":4").missing_in(state_of(a + ":1-9")), gtid(b + ":4"));
  // The order in which the TSIDs came does not matter.
  MysqlGtidState forth;
  MysqlGtidState back;
  forth.add(gtid(a + ":1"));
  forth.add(gtid(b + ":1"));
  back.add(gtid(b + ":1"));
  EXPECT_FALSE(back.same_as(forth));
  back.add(gtid(a + ":1"));
  EXPECT_TRUE(back.same_as(forth));
}

TEST(MysqlGtidState, CountsWhatFindsNoRoom) {
  MysqlGtidState intervals;
  for (std::uint64_t i = 0; i < MysqlGtidState::kMaxIntervals; ++i)
    intervals.add(gtid(std::string(kUuid) + ":" + std::to_string(2 * i + 1)));
  EXPECT_EQ(intervals.overflow(), 0U);
  // What needs no further interval still fits.
  intervals.add(gtid(std::string(kUuid) + ":" + std::to_string(2 * MysqlGtidState::kMaxIntervals)));
  EXPECT_EQ(intervals.overflow(), 0U);
  const MysqlGtid far = gtid(std::string(kUuid) + ":1000000");
  intervals.add(far);
  EXPECT_EQ(intervals.overflow(), 1U);
  EXPECT_FALSE(intervals.contains(far));
  intervals.add(gtid(std::string(kUuid) + ":tag:1"));
  EXPECT_EQ(intervals.overflow(), 2U);
  intervals.clear();
  EXPECT_EQ(intervals.overflow(), 0U);
  EXPECT_TRUE(intervals.same_as({}));

  MysqlGtidState tsids;
  for (std::uint32_t i = 0; i <= MysqlGtidState::kMaxTsids; ++i)
    tsids.add(gtid(std::string(kUuid) + ":t" + std::to_string(i) + ":1"));
  EXPECT_EQ(tsids.overflow(), 1U);
}

TEST(MysqlGtidState, NothingIsAllocated) {
  const auto body = previous_gtids("binlog.000003");
  const MysqlGtid next = gtid("5f1e7a70-0001-4b00-8000-00000000000a:25");
  const MysqlGtid other = gtid(std::string(kUuid) + ":t:7");
  const std::uint64_t before = test::allocation_count();
  PreviousGtidsReader reader;
  reader.begin(static_cast<std::uint32_t>(body.size()));
  ConstBytes rest = body;
  while (const std::uint32_t length = reader.wanted()) {
    reader.take(rest.first(length));
    rest = rest.subspan(length);
  }
  MysqlGtidState state = reader.list();
  state.add(next);
  state.add(other);
  const bool grown = !state.same_as(reader.list()) && state.missing_in(reader.list()) == next;
  EXPECT_EQ(test::allocation_count(), before);
  EXPECT_TRUE(grown && reader.complete());
}

TEST(PreviousGtidsReader, ReadsWhatTheServerSaysThatItIs) {
  int lists = 0;
  for (const auto& line : test::mysql_event_lines()) {
    if (line.type != "Previous_gtids") continue;
    const PreviousGtidsReader reader = reader_of(previous_gtids(line.file));
    ASSERT_TRUE(reader.complete()) << line.file;
    EXPECT_TRUE(reader.list().same_as(state_of(line.info))) << line.info;
    ++lists;
  }
  EXPECT_EQ(lists, 8);
  // As a server before 8.3 writes it.
  const auto set = MysqlGtidSet::parse(std::string(kUuid) + ":1-3:7").value();
  const PreviousGtidsReader plain = reader_of(set.encode(MysqlGtidEncoding::plain));
  EXPECT_TRUE(plain.complete());
  EXPECT_TRUE(plain.list().same_as(state_of(set)));
}

TEST(PreviousGtidsReader, AgreesWithTheSetAboutAnyBytes) {
  const auto whole = previous_gtids("binlog.000003");
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_FALSE(reader_of(ConstBytes(whole).first(length)).complete());
  std::mt19937_64 random(9);
  int taken = 0;
  for (int round = 0; round < 20'000; ++round) {
    auto bytes = whole;
    for (int i = 0; i <= round % 3; ++i)
      bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    if (round % 7 == 0) bytes.resize(random() % bytes.size());
    const PreviousGtidsReader reader = reader_of(bytes);
    const auto set = MysqlGtidSet::decode(bytes);
    ASSERT_EQ(reader.complete(), set.has_value());
    if (!set) continue;
    ++taken;
    EXPECT_TRUE(reader.list().same_as(state_of(*set)));
  }
  EXPECT_GT(taken, 1000);
}

}  // namespace binlane::mysql_gtid_state_test
