#include "shim/binlog/group_tracker.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <random>
#include "support/binlog_writer.h"

namespace binlane {
namespace {

using test::BinlogWriter;
using test::Bytes;

void feed(GroupTracker& tracker, const Bytes& bytes, std::size_t chunk) {
  std::uint64_t offset = tracker.end().offset;
  while (offset < bytes.size()) {
    const auto size = std::min<std::size_t>(chunk, bytes.size() - offset);
    if (!tracker.on_bytes(offset, ConstBytes(bytes).subspan(offset, size))) return;
    offset += size;
  }
}

GroupTracker tracked(const Bytes& bytes, std::size_t chunk = SIZE_MAX) {
  GroupTracker tracker;
  tracker.start_file(1);
  feed(tracker, bytes, chunk);
  return tracker;
}

// Where groups end, byte by byte.
std::vector<std::uint64_t> group_ends(const Bytes& bytes) {
  std::vector<std::uint64_t> ends;
  GroupTracker tracker;
  tracker.start_file(1);
  std::uint64_t groups = 0;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    tracker.on_bytes(at, ConstBytes(bytes).subspan(at, 1));
    if (tracker.group_count() != groups) ends.push_back(tracker.last_group_end().offset);
    groups = tracker.group_count();
  }
  EXPECT_FALSE(tracker.broken()) << to_string(tracker.fault());
  return ends;
}

TEST(GroupTracker, KnowsTheFormatDescription) {
  BinlogWriter writer;
  writer.begin({}, 1234);
  const GroupTracker tracker = tracked(writer.bytes());
  EXPECT_TRUE(tracker.format().seen);
  EXPECT_TRUE(tracker.format().in_use());
  EXPECT_EQ(tracker.format().ended_flags_byte(), 0);
  EXPECT_TRUE(tracker.format().checksums);
  EXPECT_EQ(tracker.format().server_id, BinlogWriter::kServerId);
  EXPECT_EQ(tracker.format().written_s, BinlogWriter::kTimestamp);
  EXPECT_EQ(tracker.format().startup_s, 1234U);
  EXPECT_EQ(tracker.last_group_end(), (Position{1, writer.size()}));
}

TEST(GroupTracker, TransactionEndsWithItsLastEventOnly) {
  for (const bool checksums : {true, false}) {
    BinlogWriter writer(checksums);
    writer.begin({});
    std::vector<std::uint64_t> expected;
    const auto group_ended = [&] { expected.push_back(writer.size()); };
    writer.gtid(1);
    writer.rows(100);
    writer.query("SAVEPOINT s1");
    writer.rows(100);
    writer.query("ROLLBACK TO s1");
    writer.query("COMMITTEE");
    writer.xid();
    group_ended();
    writer.gtid(2);
    writer.event(EventType::intvar, "12345678");
    writer.query("INSERT INTO t VALUES ('COMMIT')");
    writer.query("COMMIT", "");
    group_ended();
    writer.gtid(3);
    writer.query("INSERT");
    writer.query("ROLLBACK", "a schema", 0);
    group_ended();
    writer.gtid(4);
    writer.query("XA END 'x'");
    writer.event(EventType::xa_prepare, "prepared");
    group_ended();
    writer.gtid(5);
    writer.query("COMMIT");  // an empty transaction
    group_ended();
    EXPECT_EQ(group_ends(writer.bytes()), expected);
  }
}

TEST(GroupTracker, StandaloneGroupEndsWithItsStatement) {
  BinlogWriter writer;
  writer.begin({});
  std::vector<std::uint64_t> expected;
  writer.gtid(1, true);
  writer.query("CREATE TABLE t (i INT)");
  expected.push_back(writer.size());
  writer.gtid(2, true);
  writer.event(EventType::intvar, "123456789");
  writer.event(EventType::rand, "1234567812345678");
  writer.event(EventType::user_var, "user variable");
  writer.query("INSERT INTO t VALUES (@u)");
  expected.push_back(writer.size());
  writer.gtid(3, true);
  writer.event(static_cast<EventType>(165), "a compressed statement");
  expected.push_back(writer.size());
  EXPECT_EQ(group_ends(writer.bytes()), expected);
}

TEST(GroupTracker, MysqlGroups) {
  BinlogWriter writer;
  writer.magic();
  writer.format();
  writer.event(EventType::previous_gtids, "set of GTIDs");
  std::vector<std::uint64_t> expected;
  const auto group_ended = [&] { expected.push_back(writer.size()); };
  for (const EventType type :
       {EventType::gtid_log, EventType::anonymous_gtid_log, EventType::gtid_tagged_log}) {
    writer.event(type, std::string(40, 'g'));
    writer.query("BEGIN");
    writer.rows(50);
    writer.xid();
    group_ended();
    writer.event(type, std::string(40, 'g'));
    writer.query("CREATE TABLE t (i INT)");
    group_ended();
    writer.event(type, std::string(40, 'g'));
    writer.query("BEGIN");
    writer.query("INSERT");
    writer.query("COMMIT");
    group_ended();
    writer.event(type, std::string(40, 'g'));
    writer.query("XA START X'31',X'',1");
    writer.rows(50);
    writer.query("XA END X'31',X'',1");
    writer.event(EventType::xa_prepare, "prepared");
    group_ended();
    writer.event(type, std::string(40, 'g'));
    writer.event(EventType::transaction_payload, "compressed");
    group_ended();
  }
  EXPECT_EQ(group_ends(writer.bytes()), expected);
}

TEST(GroupTracker, EventsOutsideGroupsAreWholeByThemselves) {
  BinlogWriter writer;
  writer.begin({});
  writer.transaction(1, 10);
  const std::uint64_t group_end = writer.size();
  EXPECT_EQ(tracked(writer.bytes()).last_group_end().offset, group_end);
  writer.checkpoint();
  EXPECT_EQ(tracked(writer.bytes()).last_group_end().offset, writer.size());
  writer.gtid(2);
  writer.rows(10);
  const GroupTracker inside = tracked(writer.bytes());
  EXPECT_TRUE(inside.in_group());
  EXPECT_GT(inside.last_event_end(), inside.last_group_end());
  EXPECT_EQ(inside.last_event_end().offset, writer.size());
}

// MariaDB says of each group how it ends, so one that does not is half of what the server wrote.
TEST(GroupTracker, AGroupThatIsCutOffIsAFault) {
  BinlogWriter writer;
  writer.begin({});
  const std::uint64_t begin = writer.size();
  writer.gtid(1);
  writer.rows(10);
  const BinlogWriter half = writer;
  writer.gtid(2);
  GroupTracker tracker = tracked(writer.bytes(), 7);
  EXPECT_EQ(tracker.fault(), TrackerFault::cut_off_group);
  EXPECT_EQ(tracker.fault_position(), (Position{1, begin}));
  EXPECT_EQ(tracker.last_group_end().offset, begin);
  writer = half;
  writer.rotate("binlog.000002");
  EXPECT_EQ(tracked(writer.bytes(), 7).fault(), TrackerFault::cut_off_group);
  // An incident says itself that something is missing.
  writer = half;
  writer.event(EventType::incident, "LOST_EVENTS");
  EXPECT_EQ(tracked(writer.bytes(), 7).fault(), TrackerFault::none);
}

TEST(GroupTracker, AGroupWithoutAGtidThatIsCutOffEndsBeforeTheNext) {
  BinlogWriter writer;
  writer.begin({});
  writer.query("BEGIN");
  writer.rows(10);
  GroupTracker tracker = tracked(writer.bytes());
  writer.checkpoint();
  feed(tracker, writer.bytes(), SIZE_MAX);
  EXPECT_EQ(tracker.last_group_end().offset, writer.size());
  EXPECT_EQ(tracker.unfinished_group_count(), 1U);
  EXPECT_FALSE(tracker.in_group());
}

TEST(GroupTracker, AnEventThatEndsElsewhereIsAFault) {
  BinlogWriter whole;
  whole.begin({});
  whole.transaction(1, 100);
  const std::uint64_t end = whole.size();
  whole.gtid(2);
  whole.rows(10);
  const std::uint64_t xid = whole.size();
  whole.xid();
  Bytes moved = whole.bytes();
  store_le<std::uint32_t>(moved.data() + end + 13, static_cast<std::uint32_t>(end + 41));
  GroupTracker tracker = tracked(moved, 5);
  EXPECT_EQ(tracker.fault(), TrackerFault::misplaced_event);
  EXPECT_EQ(tracker.fault_position(), (Position{1, end}));
  EXPECT_EQ(tracker.last_group_end().offset, end);
  // MariaDB 11.8 leaves the place out of events inside a group, and only there.
  moved = whole.bytes();
  store_le<std::uint32_t>(moved.data() + xid + 13, 0);
  test::sum_again(moved, xid);
  EXPECT_EQ(tracked(moved, 5).fault(), TrackerFault::none);
  store_le<std::uint32_t>(moved.data() + end + 13, 0);
  EXPECT_EQ(tracked(moved, 5).fault(), TrackerFault::misplaced_event);
}

// Mutant: checksum_not_verified.
// Half of the event that ends a group, filled up to the length that it says by what the server
// wrote next: the group is not whole, wherever in the event the half ends.
TEST(GroupTracker, AFilledUpHalfOfALastEventIsAFault) {
  BinlogWriter before;
  before.begin({});
  const std::uint64_t begin = before.size();
  before.gtid(1);
  before.rows(10);
  BinlogWriter whole = before;
  whole.xid();
  BinlogWriter next = before;  // as if the half had never been
  next.transaction(2, 300);
  for (std::uint64_t kept = before.size() + 1; kept < whole.size(); ++kept) {
    Bytes torn(whole.bytes().begin(), whole.bytes().begin() + static_cast<std::ptrdiff_t>(kept));
    torn.insert(torn.end(), next.bytes().begin() + static_cast<std::ptrdiff_t>(begin),
                next.bytes().end());
    const GroupTracker tracker = tracked(torn, 7);
    EXPECT_TRUE(tracker.broken()) << kept;
    EXPECT_EQ(tracker.group_count(), 0U) << kept;
    EXPECT_EQ(tracker.last_group_end().offset, begin) << kept;
    // The header is the half's own from here on.
    if (kept < before.size() + kEventHeaderSize) continue;
    EXPECT_EQ(tracker.fault_position(), (Position{1, before.size()})) << kept;
  }
}

TEST(GroupTracker, VerifiesTheChecksumsOfWhatEndsGroupsOrStandsOutside) {
  const auto fault_with_a_flip = [](BinlogWriter writer, const auto& write) {
    writer.begin({});
    const std::uint64_t begin = writer.size();
    write(writer);
    Bytes bytes = writer.bytes();
    bytes[begin + kEventHeaderSize] ^= std::byte{1};
    return tracked(bytes, 11).fault();
  };
  const auto checkpoint = [](BinlogWriter& writer) { writer.checkpoint(); };
  const auto rotate = [](BinlogWriter& writer) { writer.rotate("binlog.000002"); };
  const auto statement = [](BinlogWriter& writer) { writer.query("DROP TABLE t"); };
  EXPECT_EQ(fault_with_a_flip(BinlogWriter(), checkpoint), TrackerFault::bad_checksum);
  EXPECT_EQ(fault_with_a_flip(BinlogWriter(), rotate), TrackerFault::bad_checksum);
  EXPECT_EQ(fault_with_a_flip(BinlogWriter(), statement), TrackerFault::bad_checksum);
  // A file without checksums has nothing to verify.
  EXPECT_EQ(fault_with_a_flip(BinlogWriter(false), checkpoint), TrackerFault::none);
}

TEST(GroupTracker, RotateAndStopEndTheFile) {
  BinlogWriter rotated;
  rotated.begin({});
  rotated.rotate("binlog.000002");
  EXPECT_EQ(tracked(rotated.bytes()).ending(), FileEnding::rotate);
  BinlogWriter stopped;
  stopped.begin({});
  stopped.stop();
  GroupTracker tracker = tracked(stopped.bytes());
  EXPECT_EQ(tracker.ending(), FileEnding::stop);
  EXPECT_FALSE(tracker.broken());
  stopped.raw("x");
  feed(tracker, stopped.bytes(), 1);
  EXPECT_EQ(tracker.fault(), TrackerFault::bytes_after_end);
}

TEST(GroupTracker, ComparesTheGtidStateOfConsecutiveFiles) {
  BinlogWriter first;
  first.begin({{0, 1, 10}, {5, 9, 2}});
  first.transaction(11, 10);  // 0-7-11
  first.gtid(1, true, 3, 99);
  first.query("CREATE");
  first.rotate("binlog.000002");
  GroupTracker tracker = tracked(first.bytes(), 3);
  EXPECT_TRUE(tracker.gtid_state_known());
  EXPECT_EQ(tracker.continuity(), Continuity::unknown);
  const auto continuity = [&](const std::vector<GtidEntry>& list, std::uint32_t number = 2) {
    GroupTracker next = tracker;
    BinlogWriter second;
    second.begin(list);
    next.start_file(number);
    feed(next, second.bytes(), 5);
    EXPECT_TRUE(next.header_read());
    return next.continuity();
  };
  EXPECT_EQ(continuity({{3, 99, 1}, {0, 1, 10}, {0, 7, 11}, {5, 9, 2}}), Continuity::follows);
  EXPECT_EQ(continuity({{3, 99, 1}, {0, 1, 10}, {0, 7, 12}, {5, 9, 2}}), Continuity::differs);
  EXPECT_EQ(continuity({{3, 99, 1}, {0, 1, 10}, {0, 7, 11}}), Continuity::domains_deleted);
  // The file wrote to domain 3.
  EXPECT_EQ(continuity({{0, 1, 10}, {0, 7, 11}, {5, 9, 2}}), Continuity::differs);
  EXPECT_EQ(continuity({}), Continuity::differs);
  EXPECT_EQ(continuity({{3, 99, 1}, {0, 1, 10}, {0, 7, 11}, {5, 9, 2}}, 3), Continuity::unknown);
  EXPECT_EQ(continuity({{3, 99, 1}, {0, 1, 10}, {0, 7, 11}, {5, 9, 2}}, 1), Continuity::unknown);
}

TEST(GroupTracker, TheTornGroupIsNotPartOfTheGtidState) {
  BinlogWriter first;
  first.begin({});
  first.transaction(1, 10);
  first.gtid(2);
  first.rows(10);
  GroupTracker tracker = tracked(first.bytes());
  BinlogWriter second;
  second.begin({{0, 7, 1}});
  tracker.start_file(2);
  feed(tracker, second.bytes(), SIZE_MAX);
  EXPECT_EQ(tracker.continuity(), Continuity::follows);
}

TEST(GroupTracker, TooManyGtidsAreCountedAndNotCompared) {
  std::vector<GtidEntry> list;
  for (std::uint32_t domain = 0; domain <= GtidState::kCapacity; ++domain)
    list.push_back({domain, 1, 1});
  BinlogWriter first;
  first.begin(list);
  first.rotate("binlog.000002");
  GroupTracker tracker = tracked(first.bytes());
  EXPECT_EQ(tracker.gtid_state().entries().size(), GtidState::kCapacity);
  EXPECT_EQ(tracker.gtid_state().overflow(), 1U);
  BinlogWriter second;
  second.begin(list);
  tracker.start_file(2);
  feed(tracker, second.bytes(), SIZE_MAX);
  EXPECT_TRUE(tracker.header_read());
  EXPECT_EQ(tracker.continuity(), Continuity::unknown);
}

TEST(GroupTracker, OffsetsBeyondFourGigabytes) {
  BinlogWriter writer;
  writer.begin({});
  GroupTracker tracker = tracked(writer.bytes());
  // Five row events of almost 1 GiB each in one transaction, never held in memory.
  const Bytes filler(std::size_t{1} << 20);
  constexpr std::uint32_t kLength = 1U << 30;
  BinlogWriter begun = writer;
  begun.gtid(1);
  const std::uint64_t begin_size = begun.size() - writer.size();
  feed(tracker, begun.bytes(), SIZE_MAX);
  for (int row = 0; row < 5; ++row) {
    Bytes header(kEventHeaderSize);
    header[4] = std::byte{30};
    store_le<std::uint32_t>(header.data() + 9, kLength);
    ASSERT_TRUE(tracker.on_bytes(tracker.end().offset, header));
    std::uint64_t left = kLength - header.size();
    while (left > 0) {
      const auto size = std::min<std::uint64_t>(left, filler.size());
      ASSERT_TRUE(tracker.on_bytes(tracker.end().offset, ConstBytes(filler).first(size)));
      left -= size;
    }
  }
  EXPECT_TRUE(tracker.in_group());
  BinlogWriter end;
  end.xid();
  Bytes xid = end.bytes();
  store_le<std::uint32_t>(xid.data() + 13,
                          static_cast<std::uint32_t>(tracker.end().offset + xid.size()));
  test::sum_again(xid, 0);
  tracker.on_bytes(tracker.end().offset, xid);
  EXPECT_EQ(tracker.last_group_end().offset,
            writer.size() + begin_size + 5ULL * kLength + end.size());
}

TEST(GroupTracker, BrokenInputIsNamedAndEndsTheReading) {
  BinlogWriter whole;
  whole.begin({});
  whole.transaction(1, 100);

  Bytes magic = whole.bytes();
  magic[0] = std::byte{0xfd};
  EXPECT_EQ(tracked(magic, 1).fault(), TrackerFault::bad_magic);

  Bytes zeros = whole.bytes();
  const std::uint64_t end = zeros.size();
  zeros.resize(end + 100);
  const GroupTracker tracker = tracked(zeros, 7);
  EXPECT_EQ(tracker.fault(), TrackerFault::bad_length);
  EXPECT_EQ(tracker.fault_position(), (Position{1, end}));
  EXPECT_EQ(tracker.last_group_end().offset, end);

  for (const std::uint32_t length : {0U, 18U, GroupTracker::kMaxEventLength + 1, ~0U}) {
    Bytes bad = whole.bytes();
    store_le(bad.data() + kBinlogMagicSize + 9, length);
    EXPECT_EQ(tracked(bad).fault(), TrackerFault::bad_length);
  }
  // Every event shorter than its fields is refused, whatever its kind.
  for (const EventType type :
       {EventType::format_description, EventType::gtid, EventType::query, EventType::gtid_list}) {
    BinlogWriter writer;
    writer.magic();
    writer.format();
    const std::uint64_t before = writer.size();
    writer.event(type, std::string(3, '\xff'));
    EXPECT_EQ(tracked(writer.bytes()).fault(), TrackerFault::bad_event);
    EXPECT_EQ(tracked(writer.bytes(), 1).fault_position().offset, before);
  }
  BinlogWriter statement;  // its status variables are longer than the event
  statement.begin({});
  statement.event(EventType::query, std::string(20, '\xff'));
  EXPECT_EQ(tracked(statement.bytes()).fault(), TrackerFault::bad_event);

  BinlogWriter headless;
  headless.magic();
  headless.xid();
  EXPECT_EQ(tracked(headless.bytes()).fault(), TrackerFault::bad_event);

  BinlogWriter encrypted;
  encrypted.magic();
  encrypted.format();
  encrypted.event(EventType::start_encryption, "scheme, key version, nonce");
  EXPECT_EQ(tracked(encrypted.bytes()).fault(), TrackerFault::encrypted);
}

// Whatever the bytes and the chunks are: nothing is read outside them, and the marks keep their
// order.
TEST(GroupTracker, RandomDamageNeverLeadsOutside) {
  BinlogWriter writer;
  writer.begin({{0, 1, 5}, {1, 2, 3}});
  for (std::uint64_t group = 1; group <= 20; ++group) {
    writer.transaction(group * 2, group * 7);
    writer.gtid(group * 2 + 1, true);
    writer.query("CREATE TABLE t (i INT)");
  }
  std::mt19937_64 random(1);
  for (int round = 0; round < 3000; ++round) {
    Bytes bytes = writer.bytes();
    for (int flips = static_cast<int>(random() % 4); flips >= 0; --flips)
      bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    GroupTracker tracker;
    tracker.start_file(1);
    std::uint64_t offset = 0;
    while (offset < bytes.size()) {
      const auto size = std::min<std::size_t>(1 + random() % 64, bytes.size() - offset);
      // A copy of its own, so that a sanitizer sees every read outside.
      const Bytes chunk(bytes.begin() + static_cast<std::ptrdiff_t>(offset),
                        bytes.begin() + static_cast<std::ptrdiff_t>(offset + size));
      if (!tracker.on_bytes(offset, chunk)) break;
      offset += size;
      ASSERT_EQ(tracker.end().offset, offset);
      ASSERT_LE(tracker.last_group_end(), tracker.last_event_end());
      ASSERT_LE(tracker.last_event_end(), tracker.end());
    }
  }
}

Bytes read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  Bytes bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

// tests/data/groups.sql on a real MariaDB 10.11; the ends are those that mariadb-binlog prints.
TEST(GroupTracker, RecordedMariadbBinlog) {
  const Bytes first = read_file(BINLANE_TEST_DATA "/groups.000001");
  const Bytes second = read_file(BINLANE_TEST_DATA "/groups.000002");
  ASSERT_FALSE(first.empty());
  const std::vector<std::uint64_t> expected{
      448,  643,  838,  1032, 1244, 1477, 1898, 2147, 2398, 2649, 3046, 3351, 3482,
      3789, 3922, 4134, 4375, 4614, 4894, 5509, 5873, 6021, 6222, 6379, 6500, 6622,
      6752, 6880, 7080, 7277, 7410, 7703, 7901, 8100, 8490, 8919, 9041, 9202, 9320,
  };
  EXPECT_EQ(group_ends(first), expected);
  for (const std::size_t chunk : {std::size_t{1}, std::size_t{13}, std::size_t{4096}}) {
    GroupTracker tracker = tracked(first, chunk);
    EXPECT_EQ(tracker.group_count(), expected.size());
    EXPECT_EQ(tracker.unfinished_group_count(), 0U);
    EXPECT_EQ(tracker.ending(), FileEnding::rotate);
    EXPECT_EQ(tracker.last_group_end().offset, first.size());
    EXPECT_FALSE(tracker.format().in_use());
    EXPECT_NE(tracker.format().startup_s, 0U);
    tracker.start_file(2);
    feed(tracker, second, chunk);
    EXPECT_EQ(tracker.continuity(), Continuity::follows);
    EXPECT_EQ(tracker.last_group_end().offset, second.size());
    EXPECT_FALSE(tracker.ended());
    EXPECT_TRUE(tracker.format().in_use());
    EXPECT_EQ(tracker.format().startup_s, 0U);
    EXPECT_EQ(tracker.gtid_state().entries().size(), 3U);
  }
}

}  // namespace
}  // namespace binlane
