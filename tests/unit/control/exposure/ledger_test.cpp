// Tests of the ledger: what it remembers, what it refuses, and what a failing disk does to it.
#include "control/exposure/ledger.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>

#include "base/error.h"
#include "control/exposure/ledger_line.h"
#include "support/temporary_directory.h"

namespace binlane::ledger_test {

constexpr Epoch kEpoch{1, 3};
constexpr Position kFrom{17, 4096};
constexpr Position kTo{18, 900};

// A disk that can be made to fail; plain functions, because that is what the ledger calls.
int g_write_error = 0;
std::size_t g_write_limit = 0;  // bytes one write takes; 0: all
int g_sync_error = 0;
int g_syncs = 0;
std::size_t g_room = SIZE_MAX;  // bytes that the disk still takes
int g_reserve_error = 0;

// A disk that gets full, in the middle of a line if need be.
LedgerIo small_io() {
  g_room = SIZE_MAX;
  g_sync_error = 0;
  g_reserve_error = 0;
  return {[](int fd, const void* data, std::size_t length) -> ssize_t {
            if (g_room == 0) {
              errno = ENOSPC;
              return -1;
            }
            length = std::min(length, g_room);
            g_room -= length;
            return ::write(fd, data, length);
          },
          [](int) {
            errno = g_sync_error;
            return g_sync_error == 0 ? 0 : -1;
          },
          [](int, std::uint64_t, std::uint64_t length) {
            errno = g_reserve_error != 0 ? g_reserve_error : ENOSPC;
            return g_reserve_error == 0 && length <= g_room ? 0 : -1;
          }};
}

LedgerIo faulty_io() {
  g_write_error = 0;
  g_write_limit = 0;
  g_sync_error = 0;
  g_syncs = 0;
  return {[](int fd, const void* data, std::size_t length) -> ssize_t {
            if (g_write_error != 0) {
              errno = g_write_error;
              return -1;
            }
            if (g_write_limit != 0 && length > g_write_limit) length = g_write_limit;
            return ::write(fd, data, length);
          },
          [](int fd) {
            ++g_syncs;
            if (g_sync_error != 0) {
              errno = g_sync_error;
              return -1;
            }
            return ::fdatasync(fd);
          }};
}

// For tests that open many ledgers and do not check what survives a power cut.
LedgerIo quick_io() {
  return {[](int fd, const void* data, std::size_t length) { return ::write(fd, data, length); },
          [](int) { return 0; }};
}

class LedgerTest : public ::testing::Test {
 protected:
  std::string path() const { return directory_.file("ledger"); }
  std::string text() const {
    std::ifstream file(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void set_text(const std::string& text) {
    std::ofstream(path(), std::ios::binary | std::ios::trunc) << text;
  }
  std::string refusal() {
    try {
      Ledger ledger(path());
    } catch (const StartupError& error) {
      return error.what();
    }
    return {};
  }
  // Three intervals: closed, open with two causes, open.
  void fill() {
    Ledger ledger(path());
    const auto first = ledger.open_interval(kFrom, kEpoch, ExposureKind::own, "timeout");
    ASSERT_TRUE(first);
    ASSERT_TRUE(ledger.close_interval(*first, kTo, 12));
    const auto second =
        ledger.open_interval(kTo, kEpoch, ExposureKind::server_side, "KILL \"x\"\n");
    ASSERT_TRUE(second);
    ASSERT_TRUE(ledger.add_cause(*second, ExposureKind::own, "timeout"));
    ASSERT_TRUE(ledger.open_interval({18, 1000}, {1, 4}, ExposureKind::own, "again"));
  }
  TemporaryDirectory directory_;
};

TEST_F(LedgerTest, RemembersOverARestart) {
  fill();
  Ledger ledger(path());
  EXPECT_EQ(ledger.torn_bytes(), 0U);
  const auto all = ledger.list();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].id, 1U);
  EXPECT_EQ(all[0].to, kTo);
  EXPECT_EQ(all[0].groups, 12U);
  EXPECT_FALSE(all[0].open());
  EXPECT_TRUE(all[1].open());
  EXPECT_EQ(all[1].epoch, kEpoch);
  ASSERT_EQ(all[1].causes.size(), 2U);
  EXPECT_EQ(all[1].causes[0].kind, ExposureKind::server_side);
  EXPECT_EQ(all[1].causes[0].reason, "KILL \"x\"\n");
  EXPECT_EQ(all[1].causes[1].kind, ExposureKind::own);
  EXPECT_EQ(all[2].from, (Position{18, 1000}));
  ASSERT_EQ(ledger.open_intervals().size(), 2U);
  EXPECT_EQ(ledger.totals().entries, 3U);
  EXPECT_EQ(ledger.totals().open, 2U);
  EXPECT_EQ(ledger.totals().exposed_groups, 12U);
  EXPECT_EQ(ledger.totals().bytes, text().size());
  // Numbers continue.
  EXPECT_EQ(ledger.open_interval(kTo, kEpoch, ExposureKind::own, "x"), 4U);
}

// S24: what is in a damaged or missing binlog is not nothing, also for who reads the file later.
TEST_F(LedgerTest, GroupsThatCannotBeCountedAreNotNone) {
  {
    Ledger ledger(path());
    ASSERT_TRUE(ledger.open_interval(kFrom, kEpoch, ExposureKind::own, "timeout"));
    ASSERT_TRUE(ledger.close_all(
        kTo, [](Position, Position) -> std::optional<std::uint64_t> { return std::nullopt; }));
    EXPECT_EQ(ledger.totals().uncountable, 1U);
  }
  const Ledger ledger(path());
  ASSERT_EQ(ledger.list().size(), 1U);
  EXPECT_TRUE(ledger.list()[0].uncountable);
  EXPECT_FALSE(ledger.list()[0].empty());
  EXPECT_EQ(ledger.totals().uncountable, 1U);
  EXPECT_EQ(ledger.totals().unacknowledged, 1U);
}

TEST_F(LedgerTest, EveryConfirmedLineWasSynced) {
  Ledger ledger(path(), faulty_io());
  const int after_header = g_syncs;
  EXPECT_EQ(after_header, 1);
  const auto id = ledger.open_interval(kFrom, kEpoch, ExposureKind::own, "timeout");
  EXPECT_EQ(g_syncs, after_header + 1);
  EXPECT_TRUE(ledger.close_interval(*id, kTo, 0));
  EXPECT_EQ(g_syncs, after_header + 2);
}

TEST_F(LedgerTest, ExposeAddsACauseToAnIntervalThatCoversIt) {
  Ledger ledger(path());
  EXPECT_EQ(ledger.expose(kFrom, kEpoch, ExposureKind::server_side, "status OFF"), 1U);
  EXPECT_EQ(ledger.expose({17, 5000}, kEpoch, ExposureKind::own, "timeout"), 1U);
  // One that begins earlier is not covered.
  EXPECT_EQ(ledger.expose({17, 10}, kEpoch, ExposureKind::own, "timeout"), 2U);
  EXPECT_EQ(ledger.open_intervals()[0].causes.size(), 2U);
}

TEST_F(LedgerTest, CloseAllCountsSharedStretchesOnce) {
  Ledger ledger(path());
  ASSERT_TRUE(ledger.open_interval({17, 500}, kEpoch, ExposureKind::own, "timeout"));
  ASSERT_TRUE(ledger.open_interval({17, 100}, kEpoch, ExposureKind::server_side, "KILL"));
  ASSERT_TRUE(ledger.open_interval({17, 2000}, kEpoch, ExposureKind::own, "later"));
  std::vector<std::pair<Position, Position>> counted;
  ASSERT_TRUE(ledger.close_all({17, 900}, [&](Position from, Position to) {
    counted.emplace_back(from, to);
    return to.offset - from.offset;
  }));
  ASSERT_EQ(counted.size(), 1U);
  EXPECT_EQ(counted[0].first, (Position{17, 100}));
  EXPECT_EQ(counted[0].second, (Position{17, 900}));
  EXPECT_TRUE(ledger.open_intervals().empty());
  EXPECT_EQ(ledger.totals().exposed_groups, 800U);
  EXPECT_EQ(ledger.list()[2].to, (Position{17, 2000}));  // never before its beginning
}

// Positions are numbers of one stream; a RESET begins them anew, in the same term.
TEST_F(LedgerTest, IntervalsOfAnotherStreamAreNeverComparedNorCounted) {
  const Uuid old_stream = Uuid::random();
  const Uuid new_stream = Uuid::random();
  {
    Ledger ledger(path());
    ASSERT_TRUE(ledger.begin_stream(old_stream));
    ASSERT_EQ(ledger.expose({1, 100}, kEpoch, ExposureKind::own, "timeout"), 1U);
  }
  Ledger ledger(path());
  ASSERT_EQ(ledger.open_intervals().size(), 1U);
  EXPECT_EQ(ledger.open_intervals()[0].stream, old_stream);
  // The same stream continues, so nothing is closed.
  ASSERT_TRUE(ledger.begin_stream(old_stream));
  ASSERT_EQ(ledger.open_intervals().size(), 1U);

  ASSERT_TRUE(ledger.begin_stream(new_stream));
  EXPECT_TRUE(ledger.open_intervals().empty());
  EXPECT_EQ(ledger.list()[0].to, (Position{1, 100}));
  // An exposure at a larger position of the new stream is one of its own.
  EXPECT_EQ(ledger.expose({1, 400}, kEpoch, ExposureKind::own, "timeout"), 2U);
  std::vector<std::pair<Position, Position>> counted;
  ASSERT_TRUE(ledger.close_all({1, 900}, [&](Position from, Position to) {
    counted.emplace_back(from, to);
    return std::uint64_t{1};
  }));
  ASSERT_EQ(counted.size(), 1U);
  EXPECT_EQ(counted[0].first, (Position{1, 400}));
  EXPECT_EQ(ledger.list()[1].stream, new_stream);
}

TEST_F(LedgerTest, ATornLastLineIsCutOffAtEveryLength) {
  fill();
  const std::string whole = text();
  const std::size_t last_begin = whole.rfind('\n', whole.size() - 2) + 1;
  for (std::size_t length = last_begin; length < whole.size(); ++length) {
    set_text(whole.substr(0, length));
    {
      Ledger ledger(path(), quick_io());
      EXPECT_EQ(ledger.torn_bytes(), length - last_begin);
      EXPECT_EQ(ledger.totals().entries, 2U);
      EXPECT_EQ(ledger.expose({18, 1000}, kEpoch, ExposureKind::own, "again"), 2U);
    }
    Ledger ledger(path(), quick_io());
    EXPECT_EQ(ledger.torn_bytes(), 0U);
    EXPECT_EQ(ledger.open_intervals()[0].causes.size(), 3U);
  }
}

TEST_F(LedgerTest, APersonAcknowledgesClosedIntervalsForGood) {
  {
    fill();
    Ledger ledger(path());
    EXPECT_EQ(ledger.totals().unacknowledged, 3U);
    EXPECT_EQ(ledger.acknowledge(2, "x"),
              "interval 2 is still open, because no quorum covers it yet");
    EXPECT_EQ(ledger.acknowledge(4, "x"), "there is no interval 4");
    EXPECT_EQ(ledger.acknowledge(0, "x"), "there is no interval 0");
    EXPECT_EQ(ledger.acknowledge(1, "user 7"), "");
    EXPECT_EQ(ledger.acknowledge(1, "user 7"), "interval 1 is already acknowledged");
  }
  Ledger ledger(path());
  EXPECT_EQ(ledger.totals().unacknowledged, 2U);
  EXPECT_TRUE(ledger.list()[0].acknowledged);
  EXPECT_FALSE(ledger.list()[1].acknowledged);
  ASSERT_TRUE(ledger.close_interval(2, {18, 950}, 1));
  ASSERT_TRUE(ledger.close_interval(3, {18, 1001}, 1));
  EXPECT_EQ(ledger.acknowledge(3, "user 7"), "");
  EXPECT_EQ(ledger.totals().unacknowledged, 0U);
}

TEST_F(LedgerTest, ALastLineWithUnwrittenBytesIsCutOff) {
  fill();
  std::string damaged = text();
  const std::size_t last_begin = damaged.rfind('\n', damaged.size() - 2) + 1;
  for (std::size_t i = last_begin; i + 20 < damaged.size(); ++i) damaged[i] = '\0';
  set_text(damaged);
  Ledger ledger(path());
  EXPECT_EQ(ledger.totals().entries, 2U);
  EXPECT_EQ(ledger.torn_bytes(), damaged.size() - last_begin);
}

TEST_F(LedgerTest, AnyOtherDamageIsRefusedWithItsLine) {
  fill();
  const std::string whole = text();
  // Every byte of every complete line, the last one included, in turn.
  for (std::size_t i = 0; i < whole.size() - 1; ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x01);
    set_text(damaged);
    EXPECT_NE(refusal().find("ledger"), std::string::npos) << "byte " << i;
  }
  set_text(whole);
  EXPECT_EQ(refusal(), "");
}

TEST_F(LedgerTest, MissingAndSwappedLinesAreRefused) {
  fill();
  const std::string whole = text();
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < whole.size();) {
    const std::size_t end = whole.find('\n', at) + 1;
    lines.push_back(whole.substr(at, end - at));
    at = end;
  }
  ASSERT_EQ(lines.size(), 6U);
  set_text(lines[0] + lines[1] + lines[3]);
  EXPECT_NE(refusal().find("line 3 is numbered 4"), std::string::npos) << refusal();
  set_text(lines[1] + lines[0]);
  EXPECT_NE(refusal().find("line 1 is numbered 2"), std::string::npos) << refusal();
  set_text(lines[0] + "hello\n" + lines[1]);
  EXPECT_NE(refusal().find("line 2 "), std::string::npos) << refusal();
  set_text(lines[0] + std::string(2 * Ledger::kMaxLineBytes, 'x'));
  EXPECT_NE(refusal().find("is too long"), std::string::npos) << refusal();
}

// Lines whose checksum is right, as another version or a bug might write them.
TEST_F(LedgerTest, WellFormedNonsenseIsRefused) {
  const std::string header = encode_ledger_line(1, LedgerHeader{kLedgerVersion});
  set_text(encode_ledger_line(1, LedgerHeader{kLedgerVersion + 1}));
  EXPECT_NE(refusal().find("names format version 2"), std::string::npos) << refusal();
  set_text(encode_ledger_line(1, LedgerOpen{1, kEpoch, kFrom, {}, {}}));
  EXPECT_NE(refusal().find("out of place"), std::string::npos) << refusal();
  set_text(header + encode_ledger_line(2, LedgerHeader{kLedgerVersion}));
  EXPECT_NE(refusal().find("out of place"), std::string::npos) << refusal();
  set_text(header + encode_ledger_line(2, LedgerOpen{7, kEpoch, kFrom, {}, {}}));
  EXPECT_NE(refusal().find("out of order"), std::string::npos) << refusal();
  set_text(header + encode_ledger_line(2, LedgerClose{1, kTo, 0, ""}));
  EXPECT_NE(refusal().find("not open"), std::string::npos) << refusal();
  set_text(header + encode_ledger_line(2, LedgerOpen{1, kEpoch, kTo, {}, {}}) +
           encode_ledger_line(3, LedgerClose{1, kFrom, 0, ""}));
  EXPECT_NE(refusal().find("before it began"), std::string::npos) << refusal();
}

// Only an open interval of the present stream says that its commits may be released.
TEST_F(LedgerTest, AnOpenIntervalOfAnotherStreamIsNoneOfThisOne) {
  Ledger ledger(path(), faulty_io());
  ASSERT_TRUE(ledger.begin_stream(Uuid::random()));
  EXPECT_FALSE(ledger.open_in_stream());
  ASSERT_TRUE(ledger.expose({1, 100}, kEpoch, ExposureKind::own, "timeout"));
  EXPECT_TRUE(ledger.open_in_stream());
  g_write_error = EIO;
  EXPECT_FALSE(ledger.begin_stream(Uuid::random()));
  EXPECT_EQ(ledger.open_intervals().size(), 1U);
  EXPECT_FALSE(ledger.open_in_stream());
}

// A host that could not put its fencing on record does so when it starts again, and only once.
TEST_F(LedgerTest, FencingIsRecordedOnce) {
  const Uuid stream = Uuid::random();
  {
    Ledger ledger(path(), faulty_io());
    ASSERT_TRUE(ledger.begin_stream(stream));
    g_write_error = EIO;
    EXPECT_FALSE(ledger.expose_fencing(kFrom, kEpoch, "deposed"));
    g_write_error = 0;
  }
  for (int starts = 0; starts < 2; ++starts) {
    Ledger ledger(path());
    ASSERT_TRUE(ledger.begin_stream(stream));
    EXPECT_TRUE(ledger.expose_fencing(kFrom, kEpoch, "deposed"));
    ASSERT_EQ(ledger.open_intervals().size(), 1U);
    ASSERT_EQ(ledger.open_intervals()[0].causes.size(), 1U);
    EXPECT_EQ(ledger.open_intervals()[0].causes[0].reason, "fenced: deposed");
  }
}

TEST_F(LedgerTest, AFailedWriteIsFinal) {
  {
    Ledger ledger(path(), faulty_io());
    const auto id = ledger.open_interval(kFrom, kEpoch, ExposureKind::own, "timeout");
    ASSERT_TRUE(id);
    g_write_error = EIO;
    EXPECT_FALSE(ledger.open_interval(kFrom, kEpoch, ExposureKind::own, "timeout"));
    g_write_error = 0;
    EXPECT_TRUE(ledger.failed());
    EXPECT_FALSE(ledger.is_full());
    EXPECT_FALSE(ledger.try_again());
    EXPECT_NE(ledger.failure().find("Input/output error"), std::string::npos);
    EXPECT_FALSE(ledger.open_interval(kFrom, kEpoch, ExposureKind::own, "timeout"));
    EXPECT_FALSE(ledger.close_interval(*id, kTo, 0));
    EXPECT_FALSE(ledger.expose(kFrom, kEpoch, ExposureKind::own, "timeout"));
    EXPECT_EQ(ledger.totals().entries, 1U);
  }
  Ledger ledger(path());
  EXPECT_EQ(ledger.open_intervals().size(), 1U);
}

// Nothing was confirmed, and nothing of it remains in the file. When there is room again, the
// ledger continues.
TEST_F(LedgerTest, AFullDiskIsTriedAgain) {
  for (const std::size_t room : {std::size_t{0}, std::size_t{1}, std::size_t{40}}) {
    ::unlink(path().c_str());
    {
      Ledger ledger(path(), small_io());
      const auto first = ledger.open_interval(kFrom, kEpoch, ExposureKind::own, "timeout");
      ASSERT_TRUE(first);
      const std::string before = text();
      g_room = room;
      EXPECT_FALSE(ledger.open_interval(kTo, kEpoch, ExposureKind::own, "timeout"));
      EXPECT_TRUE(ledger.failed());
      EXPECT_TRUE(ledger.is_full());
      EXPECT_NE(ledger.failure().find("No space left"), std::string::npos);
      EXPECT_EQ(text(), before);
      EXPECT_FALSE(ledger.try_again());
      EXPECT_FALSE(ledger.close_interval(*first, kTo, 3));
      g_room = SIZE_MAX;
      EXPECT_TRUE(ledger.try_again());
      EXPECT_FALSE(ledger.failed());
      EXPECT_TRUE(ledger.open_interval(kTo, kEpoch, ExposureKind::own, "timeout"));
      EXPECT_TRUE(ledger.close_interval(*first, kTo, 3));
    }
    const Ledger ledger(path());
    EXPECT_EQ(ledger.totals().entries, 2U);
    EXPECT_EQ(ledger.torn_bytes(), 0U);
  }
}

// Otherwise the old stream's interval would be open for ever, because nothing closes it later.
TEST_F(LedgerTest, AStreamThatBeginsOnAFullDiskClosesTheOldOnesLater) {
  Ledger ledger(path(), small_io());
  ASSERT_TRUE(ledger.begin_stream(Uuid::random()));
  ASSERT_TRUE(ledger.open_interval(kFrom, kEpoch, ExposureKind::own, "timeout"));
  g_room = 40;
  EXPECT_FALSE(ledger.begin_stream(Uuid::random()));
  EXPECT_EQ(ledger.totals().open, 1U);
  EXPECT_FALSE(ledger.try_again());
  g_room = SIZE_MAX;
  EXPECT_TRUE(ledger.try_again());
  EXPECT_EQ(ledger.totals().open, 0U);
}

// A sync that finds no room (delayed allocation) is as final as any, because nobody knows what was
// stored.
TEST_F(LedgerTest, NoRoomAtASyncIsFinal) {
  Ledger ledger(path(), small_io());
  g_sync_error = ENOSPC;
  EXPECT_FALSE(ledger.open_interval(kFrom, kEpoch, ExposureKind::own, "timeout"));
  g_sync_error = 0;
  EXPECT_FALSE(ledger.is_full());
  EXPECT_FALSE(ledger.try_again());
  EXPECT_TRUE(ledger.failed());
}

TEST_F(LedgerTest, RoomForManyLinesIsKept) {
  struct stat status {};
  {
    Ledger ledger(path());
    if (ledger.reserve_bytes() == 0) GTEST_SKIP() << "this file system cannot keep room";
    EXPECT_EQ(ledger.reserve_bytes(), Ledger::kReserveBytes);
    ASSERT_EQ(::stat(path().c_str(), &status), 0);
    EXPECT_GE(static_cast<std::uint64_t>(status.st_blocks) * 512, Ledger::kReserveBytes);
    EXPECT_EQ(static_cast<std::uint64_t>(status.st_size), ledger.totals().bytes);
  }
  Ledger ledger(path());
  EXPECT_EQ(ledger.reserve_bytes(), Ledger::kReserveBytes);
  EXPECT_TRUE(ledger.open_interval(kFrom, kEpoch, ExposureKind::own, "timeout"));
}

TEST_F(LedgerTest, AFailedSyncIsFinalAndItsLineMayStillBeThere) {
  {
    Ledger ledger(path(), faulty_io());
    g_sync_error = EIO;
    EXPECT_FALSE(ledger.open_interval(kFrom, kEpoch, ExposureKind::own, "timeout"));
    g_sync_error = 0;
    EXPECT_FALSE(ledger.open_interval(kFrom, kEpoch, ExposureKind::own, "timeout"));
    EXPECT_EQ(ledger.totals().entries, 0U);
  }
  // Reporting too much is the safe side.
  EXPECT_EQ(Ledger(path()).totals().entries, 1U);
}

TEST_F(LedgerTest, ShortWritesAreContinued) {
  {
    Ledger ledger(path(), faulty_io());
    g_write_limit = 7;
    ASSERT_TRUE(ledger.open_interval(kFrom, kEpoch, ExposureKind::own, "timeout"));
  }
  EXPECT_EQ(Ledger(path()).open_intervals().size(), 1U);
}

TEST_F(LedgerTest, ASecondOwnerIsRefused) {
  Ledger ledger(path());
  EXPECT_NE(refusal().find("another process has the file open"), std::string::npos);
}

TEST_F(LedgerTest, LongAndBinaryReasonsAreKeptWithinTheLine) {
  {
    Ledger ledger(path());
    ASSERT_TRUE(ledger.open_interval(kFrom, kEpoch, ExposureKind::own, std::string(5000, '\1')));
    ASSERT_TRUE(ledger.open_interval(kFrom, kEpoch, ExposureKind::own, "\xff\xfe\n"));
  }
  const Ledger ledger(path());
  EXPECT_EQ(ledger.open_intervals()[0].causes[0].reason.size(), Ledger::kMaxReasonBytes);
}

TEST_F(LedgerTest, KeepsABoundedListOfClosedIntervals) {
  constexpr std::size_t kMany = Ledger::kMaxListed + 10;
  {
    Ledger ledger(path(), quick_io());
    for (std::size_t i = 0; i < kMany; ++i) {
      const auto id = ledger.open_interval(kFrom, kEpoch, ExposureKind::own, "timeout");
      ASSERT_TRUE(id && ledger.close_interval(*id, kTo, 1));
    }
    EXPECT_EQ(ledger.list().size(), Ledger::kMaxListed);
  }
  Ledger ledger(path());
  EXPECT_EQ(ledger.list().size(), Ledger::kMaxListed);
  EXPECT_EQ(ledger.list().back().id, kMany);
  EXPECT_EQ(ledger.totals().exposed_groups, kMany);
}

// A restart of the server opens an interval in which nothing may have happened; nobody has to
// acknowledge it.
TEST_F(LedgerTest, AnIntervalThatProvedEmptyCountsAsAcknowledged) {
  const auto none = [](Position, Position) -> std::optional<std::uint64_t> { return 0; };
  const auto unknown = [](Position, Position) -> std::optional<std::uint64_t> {
    return std::nullopt;
  };
  const auto some = [](Position, Position) -> std::optional<std::uint64_t> { return 3; };
  {
    Ledger ledger(path());
    const auto open = [&] {
      return ledger.expose({17, 100}, {1, 1}, ExposureKind::server_side, "restart").has_value();
    };
    ASSERT_TRUE(open());
    EXPECT_EQ(ledger.totals().unacknowledged, 1U);
    ASSERT_TRUE(ledger.close_all({17, 100}, unknown));  // there is nothing between equal positions
    EXPECT_EQ(ledger.totals().unacknowledged, 0U);
    ASSERT_TRUE(open());
    ASSERT_TRUE(ledger.close_all({17, 200}, none));
    EXPECT_EQ(ledger.totals().unacknowledged, 0U);
    ASSERT_TRUE(open());
    ASSERT_TRUE(ledger.close_all({17, 200}, unknown));  // its binlogs are gone
    ASSERT_TRUE(open());
    ASSERT_TRUE(ledger.close_all({17, 200}, some));
    ASSERT_TRUE(open());
    ASSERT_TRUE(ledger.close_all({17, 200}, none));
    EXPECT_EQ(ledger.totals().unacknowledged, 2U);
  }
  Ledger ledger(path());
  EXPECT_EQ(ledger.totals().unacknowledged, 2U);
  const auto all = ledger.list();
  ASSERT_EQ(all.size(), 5U);
  EXPECT_TRUE(all[0].acknowledged && all[1].acknowledged && all[4].acknowledged);
  EXPECT_FALSE(all[2].acknowledged || all[3].acknowledged);
  EXPECT_EQ(ledger.acknowledge(4, "me"), "");
  EXPECT_EQ(ledger.totals().unacknowledged, 0U);
  EXPECT_EQ(ledger.acknowledge(5, "me"), "");
  EXPECT_EQ(ledger.totals().unacknowledged, 0U);
}

// What two intervals share is counted with the first of them; the second is not empty for that.
TEST_F(LedgerTest, ASharedStretchLeavesTheSecondIntervalToAPerson) {
  Ledger ledger(path());
  ASSERT_TRUE(ledger.open_interval({17, 100}, {1, 1}, ExposureKind::own, "a"));
  ASSERT_TRUE(ledger.open_interval({17, 150}, {1, 1}, ExposureKind::own, "b"));
  ASSERT_TRUE(ledger.close_all(
      {17, 200}, [](Position, Position) -> std::optional<std::uint64_t> { return 2; }));
  EXPECT_EQ(ledger.totals().unacknowledged, 2U);
}

}  // namespace binlane::ledger_test
