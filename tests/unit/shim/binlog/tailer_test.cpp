#include "shim/binlog/tailer.h"

#include <gtest/gtest.h>

#include <optional>

#include "support/fake_binlog_files.h"

namespace binlane {
namespace {

using test::BinlogWriter;
using test::Bytes;
using test::FakeBinlogFiles;

std::string name_of(std::uint32_t number) {
  return binlog_file_name("binlog", number);
}

class TailerTest : public ::testing::Test {
 protected:
  // Scans and starts; the events of the first polls are the test's.
  void start(std::uint32_t first, std::uint32_t newest) {
    StreamStart found;
    const ScanResult result = scan_stream(files_, first, newest, found);
    ASSERT_TRUE(result.ok()) << result.error;
    ASSERT_EQ(tailer_.start(found, now_ns_), 0);
    ASSERT_TRUE(tailer_.running());
  }
  TailEvent poll() { return tailer_.poll(now_ns_); }
  TailEvent poll_later() {
    now_ns_ += Tailer<FakeBinlogFiles>::kIdleProbe_ns;
    return poll();
  }
  // Polls, with time passing, until something happens.
  TailEvent next_event() {
    for (int turn = 0; turn < 10; ++turn) {
      const TailEvent event = poll_later();
      if (event != TailEvent::none) return event;
    }
    return TailEvent::none;
  }
  // Polls while the stream grows; the last event is the first of another kind.
  TailEvent event_after_growth() {
    TailEvent event = TailEvent::grew;
    while (event == TailEvent::grew) event = next_event();
    return event;
  }
  void expect_stopped() {
    EXPECT_FALSE(tailer_.running());
    EXPECT_EQ(files_.open_count(), 0U);
    const std::uint64_t written = tailer_.written();
    EXPECT_EQ(poll_later(), TailEvent::none);
    EXPECT_EQ(tailer_.written(), written);
  }

  // A file of transactions 0-7-`from` to 0-7-`to`, opened by the server after them.
  static BinlogWriter file(std::uint64_t from, std::uint64_t to, std::uint32_t startup_s = 0) {
    BinlogWriter writer;
    std::vector<GtidEntry> gtids;
    if (from > 1) gtids.push_back({0, BinlogWriter::kServerId, from - 1});
    writer.begin(gtids, startup_s);
    for (std::uint64_t sequence = from; sequence <= to; ++sequence)
      writer.transaction(sequence, 20 + sequence);
    return writer;
  }

  std::uint64_t now_ns_ = kNanosPerSecond;
  FakeBinlogFiles files_;
  Tailer<FakeBinlogFiles> tailer_{files_};
};

TEST_F(TailerTest, SeesGrowthInOddChunks) {
  BinlogWriter writer = file(1, 3);
  files_.append(1, writer.take());
  start(1, 1);
  EXPECT_EQ(tailer_.written(), writer.size());
  EXPECT_EQ(tailer_.group_end(), writer.size());
  EXPECT_EQ(poll(), TailEvent::none);
  const std::uint64_t group_end = writer.size();
  writer.transaction(4, 1000);
  const Bytes added = writer.take();
  for (std::size_t at = 0; at < added.size(); at += 7) {
    const std::size_t size = std::min<std::size_t>(7, added.size() - at);
    files_.append(1, Bytes(added.begin() + static_cast<std::ptrdiff_t>(at),
                           added.begin() + static_cast<std::ptrdiff_t>(at + size)));
    ASSERT_EQ(poll(), TailEvent::grew);
    ASSERT_EQ(tailer_.written(), group_end + at + size);
    if (at + size < added.size()) {
      ASSERT_EQ(tailer_.group_end(), group_end);
    }
  }
  EXPECT_EQ(tailer_.group_end(), writer.size());
  EXPECT_EQ(tailer_.written_position(), (Position{1, writer.size()}));
  EXPECT_EQ(poll(), TailEvent::none);
  EXPECT_EQ(tailer_.counters().bytes, added.size());
}

// A server that dies before the new file is in its index removes that file.
TEST_F(TailerTest, AHeaderBehindARotationIsNoGroupsEndBeforeItsFirstGroup) {
  BinlogWriter first = file(1, 2);
  files_.append(1, first.take());
  start(1, 1);
  EXPECT_EQ(tailer_.group_end(), first.size());
  first.rotate(name_of(2));
  files_.append(1, first.take());
  BinlogWriter second = file(3, 2);
  files_.append(2, second.take());
  ASSERT_EQ(event_after_growth(), TailEvent::file_ended);
  ASSERT_EQ(next_event(), TailEvent::grew);
  EXPECT_EQ(tailer_.written_position(), (Position{2, second.size()}));
  EXPECT_EQ(tailer_.group_end(), first.size() + 1);
  second.transaction(3, 100);
  files_.append(2, second.take());
  ASSERT_EQ(next_event(), TailEvent::grew);
  EXPECT_EQ(tailer_.group_end(), tailer_.written());
  // Of a file that the server had listed when the incarnation began it counts.
  BinlogWriter third = file(4, 3);
  files_.append(3, third.take());
  start(3, 3);
  EXPECT_EQ(tailer_.group_end(), third.size());
}

TEST_F(TailerTest, AnIdlePollIsOneReadAndProbesAreRare) {
  BinlogWriter writer = file(1, 1);
  files_.append(1, writer.take());
  start(1, 1);
  const std::uint64_t opens = files_.opens;
  const std::uint64_t looks = files_.looks;
  const std::uint64_t reads = files_.reads;
  for (int turn = 0; turn < 999; ++turn) {
    now_ns_ += Tailer<FakeBinlogFiles>::kIdleProbe_ns / 1000;
    ASSERT_EQ(poll(), TailEvent::none);
  }
  EXPECT_EQ(files_.reads - reads, 999U);
  EXPECT_EQ(files_.opens, opens);
  EXPECT_EQ(files_.looks, looks);
  EXPECT_EQ(poll_later(), TailEvent::none);
  EXPECT_EQ(tailer_.counters().probes, 1U);
}

TEST_F(TailerTest, FinishesTheOldFileBeforeTheNext) {
  BinlogWriter first = file(1, 2);
  files_.append(1, first.take());
  start(1, 1);
  // Between two polls: more than one read's worth, a rotation and the next file's first group.
  for (std::uint64_t sequence = 3; sequence <= 12; ++sequence) first.transaction(sequence, 20'000);
  first.rotate(name_of(2));
  files_.append(1, first.take());
  BinlogWriter second = file(13, 13);
  files_.append(2, second.take());

  std::uint64_t reads = 0;
  TailEvent event = TailEvent::none;
  while ((event = poll()) == TailEvent::grew) ++reads;
  EXPECT_GE(reads, 3U);
  EXPECT_EQ(event, TailEvent::file_ended);
  EXPECT_EQ(tailer_.written(), first.size() + 1);
  EXPECT_EQ(tailer_.group_end(), first.size() + 1);
  EXPECT_EQ(tailer_.written_position(), (Position{2, 0}));
  const auto end = tailer_.map().end_of(1);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->final_size, first.size());
  EXPECT_EQ(end->last_group_end, first.size());
  EXPECT_EQ(end->flags_byte & 1, 0);

  EXPECT_EQ(next_event(), TailEvent::grew);
  EXPECT_EQ(tailer_.written(), first.size() + 1 + second.size());
  EXPECT_EQ(tailer_.counters().unproven_files, 0U);
  EXPECT_EQ(files_.open_count(), 1U);
}

TEST_F(TailerTest, SeveralRotationsBetweenTwoPolls) {
  BinlogWriter writer = file(1, 1);
  files_.append(999'999, writer.take());
  start(999'999, 999'999);
  std::uint64_t linear = 0;
  for (std::uint32_t number = 999'999; number < 1'000'005; ++number) {
    writer.rotate(name_of(number + 1));
    files_.append(number, writer.take());
    linear += writer.size() + 1;
    writer = file(number - 999'997, number - 999'997);
    files_.append(number + 1, writer.take());
  }
  linear += writer.size();
  int ended = 0;
  for (int turn = 0; turn < 20; ++turn) ended += poll_later() == TailEvent::file_ended ? 1 : 0;
  EXPECT_EQ(ended, 6);
  EXPECT_EQ(tailer_.written(), linear);
  EXPECT_EQ(tailer_.written_position(), (Position{1'000'005, writer.size()}));
}

TEST_F(TailerTest, WaitsForTheNextFileAndForItsHeader) {
  BinlogWriter first = file(1, 1);
  first.rotate(name_of(2));
  files_.append(1, first.take());
  start(1, 1);
  EXPECT_EQ(tailer_.written(), first.size() + 1);
  for (int turn = 0; turn < 100; ++turn) ASSERT_EQ(poll_later(), TailEvent::none);
  files_.append(2, {});
  for (int turn = 0; turn < 100; ++turn) ASSERT_EQ(poll_later(), TailEvent::none);
  // Not a byte is published before the GTID state of the new file is known.
  BinlogWriter second = file(2, 1);
  const Bytes header = second.take();
  std::uint64_t published = 0;
  for (const std::byte byte : header) {
    files_.append(2, {byte});
    if (poll_later() == TailEvent::grew && published == 0)
      published = tailer_.written_position().offset;
  }
  EXPECT_GT(published, kBinlogMagicSize);
  EXPECT_EQ(tailer_.written(), first.size() + 1 + second.size());
}

TEST_F(TailerTest, StopEventThenANewFileIsARestart) {
  BinlogWriter first = file(1, 1);
  files_.append(1, first.take());
  start(1, 1);
  first.stop();
  files_.append(1, first.take());
  EXPECT_EQ(poll(), TailEvent::file_ended);
  for (int turn = 0; turn < 100; ++turn) ASSERT_EQ(poll_later(), TailEvent::none);
  files_.append(2, file(2, 2, 1).take());
  EXPECT_EQ(next_event(), TailEvent::server_restarted);
  EXPECT_EQ(tailer_.written(), first.size() + 1);
  expect_stopped();
  start(1, 2);
  EXPECT_EQ(tailer_.written_position(), (Position{2, files_.data(2).size()}));
}

TEST_F(TailerTest, TornTailThenANewFileIsARestart) {
  BinlogWriter first = file(1, 2);
  const std::uint64_t whole = first.size();
  files_.append(1, first.take());
  start(1, 1);
  first.transaction(3, 500);
  Bytes torn = first.take();
  torn.resize(torn.size() / 2);
  files_.append(1, torn);
  EXPECT_EQ(poll(), TailEvent::grew);
  BinlogWriter second = file(3, 3, 1);
  files_.append(2, second.take());
  EXPECT_EQ(event_after_growth(), TailEvent::server_restarted);
  EXPECT_EQ(tailer_.written(), whole + torn.size());
  expect_stopped();

  start(1, 2);
  const auto end = tailer_.map().end_of(1);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->final_size, whole + torn.size());
  EXPECT_EQ(end->last_group_end, whole);
  EXPECT_EQ(end->flags_byte & 1, 1);
  EXPECT_EQ(tailer_.written(), whole + torn.size() + 1 + second.size());
}

// The rotation happens between the read of the old file that finds nothing and the check of the
// next one.
TEST_F(TailerTest, ARotationIsNotMistakenForARestart) {
  BinlogWriter first = file(1, 1);
  files_.append(1, first.take());
  start(1, 1);
  files_.append(2, file(2, 2).take());
  EXPECT_EQ(poll_later(), TailEvent::none);  // has seen file 2
  first.transaction(2, 10);
  first.rotate(name_of(2));
  files_.append(1, first.take());
  EXPECT_EQ(poll(), TailEvent::file_ended);
}

TEST_F(TailerTest, ARunsFirstFileBehindARotateIsARestart) {
  BinlogWriter first = file(1, 1);
  files_.append(1, first.take());
  start(1, 1);
  first.rotate(name_of(2));
  files_.append(1, first.take());
  EXPECT_EQ(poll(), TailEvent::file_ended);
  files_.append(2, file(2, 2, 1'700'000'000).take());
  EXPECT_EQ(next_event(), TailEvent::server_restarted);
  EXPECT_EQ(tailer_.written_position(), (Position{2, 0}));
  expect_stopped();
}

TEST_F(TailerTest, ShrunkFileStops) {
  BinlogWriter first = file(1, 3);
  files_.append(1, first.take());
  start(1, 1);
  files_.truncate(1, first.size() - 1);
  EXPECT_EQ(next_event(), TailEvent::shrunk);
  expect_stopped();
}

// A server that trims its torn file and then opens the next one.
TEST_F(TailerTest, TrimmedFileWithASuccessorIsShrunkFirst) {
  BinlogWriter first = file(1, 3);
  const std::uint64_t whole = first.size();
  first.gtid(4);
  files_.append(1, first.take());
  start(1, 1);
  files_.truncate(1, whole);
  files_.append(2, file(4, 4, 1).take());
  EXPECT_EQ(next_event(), TailEvent::shrunk);
}

TEST_F(TailerTest, RemovedOrReplacedFileIsAReset) {
  files_.append(1, file(1, 3).take());
  start(1, 1);
  files_.replace(1, file(1, 3).take());
  EXPECT_EQ(next_event(), TailEvent::reset);
  expect_stopped();

  files_.append(5, file(4, 6).take());
  start(5, 5);
  files_.remove(5);
  files_.append(6, file(1, 1, 1).take());  // RESET MASTER TO 6
  EXPECT_EQ(next_event(), TailEvent::reset);
  expect_stopped();
}

// A server that died in its rotation removes, as it starts, the file that it had not listed, and
// reuses the number. A RESET removes the previous file as well.
TEST_F(TailerTest, ANewFileThatIsRemovedIsNoReset) {
  for (const bool reset : {false, true}) {
    for (const bool anew : {false, true}) {
      files_ = {};
      BinlogWriter first = file(1, 3);
      files_.append(1, first.take());
      start(1, 1);
      first.rotate(name_of(2));
      files_.append(1, first.take());
      files_.append(2, file(4, 3).take());
      ASSERT_EQ(event_after_growth(), TailEvent::file_ended);
      ASSERT_EQ(next_event(), TailEvent::grew);
      if (reset) files_.replace(1, file(1, 0).take());
      files_.remove(2);
      if (anew) files_.append(2, file(4, 4, 1).take());
      EXPECT_EQ(next_event(), reset ? TailEvent::reset : TailEvent::server_restarted);
      expect_stopped();
    }
  }
}

TEST_F(TailerTest, ResetBehindARotateIsAReset) {
  BinlogWriter first = file(1, 1);
  files_.append(3, first.take());
  start(3, 3);
  first.rotate(name_of(4));
  files_.append(3, first.take());
  EXPECT_EQ(poll(), TailEvent::file_ended);
  EXPECT_EQ(poll_later(), TailEvent::none);
  files_.remove(3);
  files_.append(1, file(1, 1, 1).take());
  EXPECT_EQ(next_event(), TailEvent::reset);
  expect_stopped();
}

// A RESET after which the first file has as many groups as before: the next one's GTID state looks
// like the old one. Mutant: renumbered_file_followed.
TEST_F(TailerTest, AResetToTheSameGtidStateIsOne) {
  BinlogWriter first = file(1, 3);
  first.rotate(name_of(2));
  files_.append(1, first.take());
  start(1, 1);
  BinlogWriter other = file(1, 2);
  other.transaction(3, 77);
  other.rotate(name_of(2));
  files_.replace(1, other.take());
  files_.append(2, file(4, 4).take());
  EXPECT_EQ(next_event(), TailEvent::reset);
  expect_stopped();
}

TEST_F(TailerTest, PurgeOfTheFileBeingReadIsNoReset) {
  BinlogWriter first = file(1, 1);
  files_.append(1, first.take());
  start(1, 1);
  first.transaction(2, 200'000);
  first.rotate(name_of(2));
  files_.append(1, first.take());
  files_.append(2, file(3, 3).take());
  EXPECT_EQ(poll(), TailEvent::grew);
  files_.remove(1);
  EXPECT_EQ(event_after_growth(), TailEvent::file_ended);
  EXPECT_EQ(next_event(), TailEvent::grew);
  EXPECT_EQ(tailer_.written(), first.size() + 1 + files_.data(2).size());
}

// After a pause a lane finds its file grown and gone: what follows shows whether that was a PURGE
// or a RESET. Mutant: acked_behind_reset.
TEST_F(TailerTest, AfterAPauseAGrownFileMayBeAnotherStreams) {
  BinlogWriter first = file(1, 1);
  files_.append(1, first.take());
  start(1, 1);
  EXPECT_TRUE(tailer_.settled());
  first.transaction(2, 20);
  files_.append(1, first.take());
  poll_later();
  EXPECT_TRUE(tailer_.settled());
  first.transaction(3, 200'000);
  first.rotate(name_of(2));
  files_.append(1, first.take());
  files_.append(2, file(4, 4).take());
  files_.remove(1);
  now_ns_ += Tailer<FakeBinlogFiles>::kIdleProbe_ns;
  EXPECT_EQ(poll_later(), TailEvent::grew);
  EXPECT_FALSE(tailer_.settled());
  EXPECT_EQ(event_after_growth(), TailEvent::file_ended);
  EXPECT_FALSE(tailer_.settled());
  EXPECT_EQ(next_event(), TailEvent::grew);
  EXPECT_TRUE(tailer_.settled());
}

TEST_F(TailerTest, OtherGtidStateIsAGap) {
  BinlogWriter first = file(1, 5);
  files_.append(1, first.take());
  start(1, 1);
  first.rotate(name_of(2));
  files_.append(1, first.take());
  EXPECT_EQ(poll(), TailEvent::file_ended);
  files_.append(2, file(5, 9).take());  // begins after 0-7-4
  files_.remove(1);
  EXPECT_EQ(next_event(), TailEvent::gap);
  EXPECT_EQ(tailer_.written_position(), (Position{2, 0}));
  expect_stopped();
}

// The server counted a group that its file does not hold: half a write that was lost.
TEST_F(TailerTest, OtherGtidStateBehindAFileThatIsThereIsDamage) {
  BinlogWriter first = file(1, 5);
  files_.append(1, first.take());
  start(1, 1);
  first.rotate(name_of(2));
  files_.append(1, first.take());
  files_.append(2, file(7, 9).take());
  EXPECT_EQ(poll(), TailEvent::file_ended);
  EXPECT_EQ(next_event(), TailEvent::damaged);
  EXPECT_EQ(discontinuity_text(tailer_.tracker()),
            "it does not go on where the file before it ends: the file ends with 0-7-5, but the "
            "next file begins after 0-7-6");
  expect_stopped();
}

// MySQL's files: each begins with the set of all GTIDs before it.
TEST_F(TailerTest, OtherPreviousGtidsAreNoticedToo) {
  const std::string uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
  struct Case {
    std::string list;
    bool first_gone;
    TailEvent expected;
    std::uint64_t unproven;
  };
  std::uint32_t number = 1;
  for (const Case& next :
       {Case{":1-3", false, TailEvent::grew, 0}, Case{":1-4", false, TailEvent::damaged, 0},
        Case{":1-2", true, TailEvent::gap, 0}, Case{"", false, TailEvent::grew, 1}}) {
    BinlogWriter first;
    first.magic();
    first.format();
    first.previous_gtids(*MysqlGtidSet::parse(uuid + ":1"));
    for (const char* const gtid : {":2", ":3"}) {
      first.mysql_gtid(*parse_mysql_gtid(uuid + gtid));
      first.query("BEGIN");
      first.rows(20);
      first.xid();
    }
    files_.append(number, first.take());
    Tailer<FakeBinlogFiles> tailer(files_);
    StreamStart found;
    ASSERT_TRUE(scan_stream(files_, number, number, found).ok());
    ASSERT_EQ(tailer.start(found, now_ns_), 0);
    first.rotate(name_of(number + 1));
    files_.append(number, first.take());
    EXPECT_EQ(tailer.poll(now_ns_), TailEvent::file_ended);
    BinlogWriter second;
    second.magic();
    second.format();
    if (!next.list.empty()) second.previous_gtids(*MysqlGtidSet::parse(uuid + next.list));
    second.mysql_gtid(*parse_mysql_gtid(uuid + ":9"));
    files_.append(number + 1, second.take());
    if (next.first_gone) files_.remove(number);
    TailEvent event = TailEvent::none;
    for (int turn = 0; turn < 10 && event == TailEvent::none; ++turn)
      event = tailer.poll(now_ns_ += Tailer<FakeBinlogFiles>::kIdleProbe_ns);
    EXPECT_EQ(event, next.expected) << next.list;
    EXPECT_EQ(tailer.counters().unproven_files, next.unproven) << next.list;
    number += 2;
  }
}

// FLUSH BINARY LOGS DELETE_DOMAIN_ID=(3): the same stream, live and at a later start.
TEST_F(TailerTest, DeletedDomainsAreTheSameStream) {
  BinlogWriter first;
  first.begin({{3, 9, 5}, {3, 8, 6}});
  first.transaction(1, 20);
  files_.append(1, first.take());
  start(1, 1);
  first.rotate(name_of(2));
  files_.append(1, first.take());
  BinlogWriter second = file(2, 3);
  files_.append(2, second.take());
  EXPECT_EQ(poll(), TailEvent::file_ended);
  EXPECT_EQ(next_event(), TailEvent::grew);
  EXPECT_EQ(tailer_.written_position(), (Position{2, second.size()}));
  StreamStart found;
  EXPECT_TRUE(scan_stream(files_, 1, 2, found, {true, 1}).ok());
  // A server that was restarted keeps its domains.
  files_.replace(2, file(2, 3, 1).take());
  EXPECT_EQ(scan_text(scan_stream(files_, 1, 2, found, {true, 1})),
            "binlog 2 is damaged at 2:4: it does not go on where the file before it ends: the file "
            "holds 3-9-5, but the next file does not list it");
}

// Mutants: tailer_follows_misplaced_events, damage_counted_as_end. What MariaDB leaves when the
// disk of its binlogs is full, the waiting client is killed and space is freed: half of what it
// wanted to write, and then all of it again.
class TornInTheMiddle : public TailerTest {
 protected:
  // Groups 1 and 2, half of group 3, and then the server continues with group 4.
  BinlogWriter torn(std::size_t kept) {
    BinlogWriter writer = file(1, 2);
    torn_at_ = writer.size();
    Bytes bytes = writer.take();
    writer.transaction(3, 2000);
    const Bytes half = writer.take();
    bytes.insert(bytes.end(), half.begin(), half.begin() + static_cast<std::ptrdiff_t>(kept));
    files_.append(1, bytes);
    return writer;  // which continues at another place than the file does
  }
  void expect_refused(std::uint32_t newest, const std::string& text) {
    StreamStart found;
    const ScanResult result = scan_stream(files_, 1, newest, found, {true, 1});
    EXPECT_EQ(result.error, EBADMSG);
    EXPECT_EQ(scan_text(result), text);
    EXPECT_EQ(files_.open_count(), 0U);
  }
  std::string place(std::uint64_t offset) const { return to_string(Position{1, offset}); }

  std::uint64_t torn_at_ = 0;
};

TEST_F(TornInTheMiddle, EveryCutIsFoundLiveOrWhenTheNextFileComes) {
  BinlogWriter group;
  group.transaction(3, 2000);
  for (std::size_t kept = 1; kept < group.size(); kept += 13) {
    files_.remove(1);
    BinlogWriter writer = torn(kept);
    start(1, 1);
    for (std::uint64_t sequence = 4; sequence < 30; ++sequence) writer.transaction(sequence, 100);
    writer.rotate(name_of(2));
    files_.append(1, writer.take());
    BinlogWriter second = file(30, 31);
    files_.append(2, second.take());
    TailEvent event = TailEvent::none;
    for (int turn = 0; turn < 100 && !stops_tailer(event); ++turn) event = poll_later();
    EXPECT_TRUE(event == TailEvent::error || event == TailEvent::server_restarted) << kept;
    EXPECT_LE(tailer_.group_end(), torn_at_) << kept;
    StreamStart found;
    const ScanResult result = scan_stream(files_, 1, 2, found, {true, 1});
    EXPECT_EQ(result.error, EBADMSG) << kept;
    EXPECT_EQ(result.damaged_at.file, 1U) << kept;
    EXPECT_GE(result.damaged_at.offset, torn_at_) << kept;
    EXPECT_EQ(count_groups(files_, {1, 4}, {2, second.size()}), std::nullopt) << kept;
    files_.remove(2);
  }
}

TEST_F(TornInTheMiddle, ARestartOfTheServerDoesNotHideIt) {
  BinlogWriter writer = torn(500);
  writer.transaction(4, 100);
  files_.append(1, writer.take());
  // Recovery stops where the file is torn, so that the lists agree; group 4 is after that place.
  files_.append(2, file(3, 3, 1).take());
  StreamStart found;
  const ScanResult result = scan_stream(files_, 1, 2, found, {true, 1});
  EXPECT_EQ(result.damage, "an event is not whole, and event groups follow it");
  EXPECT_EQ(count_groups(files_, {1, 4}, {2, 4}), std::nullopt);
}

TEST_F(TornInTheMiddle, WhatACrashLeftIsNoDamage) {
  torn(500);
  files_.append(2, file(3, 3, 1).take());
  StreamStart found;
  ASSERT_TRUE(scan_stream(files_, 1, 2, found, {true, 1}).ok());
  EXPECT_EQ(found.map.end_of(1)->last_group_end, torn_at_);
  EXPECT_EQ(count_groups(files_, {1, 4}, {2, 4}), 2U);
  // A power cut may leave zeros, from anywhere on.
  files_.append(1, Bytes(3000));
  EXPECT_TRUE(scan_stream(files_, 1, 2, found, {true, 1}).ok());
  // The same run of the server leaves none of this.
  files_.replace(2, file(3, 3).take());
  BinlogWriter half;
  half.gtid(3);
  half.rows(2000);
  expect_refused(2,
                 "binlog 1 is damaged at " + place(torn_at_ + half.size()) +
                     ": an event has an "
                     "impossible length, and the same run of the server went on in the next file");
}

TEST_F(TornInTheMiddle, AGroupThatIsCutOffIsDamage) {
  BinlogWriter writer = file(1, 2);
  torn_at_ = writer.size();
  writer.gtid(3);
  writer.rows(100);
  writer.transaction(4, 20);
  writer.rotate(name_of(2));
  files_.append(1, writer.take());
  expect_refused(1, "binlog 1 is damaged at " + place(torn_at_) +
                        ": an event group is not whole, and others follow it");
  files_.append(2, file(5, 5).take());
  expect_refused(2, "binlog 1 is damaged at " + place(torn_at_) +
                        ": an event group is not whole, and others follow it");
}

TEST_F(TornInTheMiddle, BytesAfterTheLastEventAreDamage) {
  BinlogWriter writer = file(1, 2);
  writer.rotate(name_of(2));
  const std::uint64_t end = writer.size();
  writer.transaction(3, 20);
  files_.append(1, writer.take());
  files_.append(2, file(3, 3).take());
  expect_refused(
      2, "binlog 1 is damaged at " + place(end) + ": bytes after the event that ends the file");
}

TEST_F(TornInTheMiddle, AnEarlierScansProofIsNotRepeated) {
  BinlogWriter first = file(1, 2);
  first.rotate(name_of(2));
  files_.append(1, first.take());
  BinlogWriter second = file(9, 9);  // does not continue there
  second.rotate(name_of(3));
  files_.append(2, second.take());
  files_.append(3, file(10, 10).take());
  StreamStart found;
  EXPECT_FALSE(scan_stream(files_, 1, 3, found, {true, 1}).ok());
  EXPECT_TRUE(scan_stream(files_, 1, 3, found, {true, 2}).ok());
  EXPECT_TRUE(scan_stream(files_, 1, 3, found).ok());
}

TEST_F(TailerTest, AFileWithoutGtidListIsCountedAsUnproven) {
  BinlogWriter first;
  first.magic();
  first.format();
  first.event(EventType::previous_gtids, "set");
  first.rotate(name_of(2));
  files_.append(1, first.take());
  start(1, 1);
  BinlogWriter second;
  second.magic();
  second.format();
  second.event(EventType::previous_gtids, "set");
  files_.append(2, second.take());
  EXPECT_EQ(next_event(), TailEvent::grew);
  EXPECT_EQ(tailer_.counters().unproven_files, 1U);
}

TEST_F(TailerTest, BytesBehindTheLastEventAreAnError) {
  BinlogWriter first = file(1, 1);
  files_.append(1, first.take());
  start(1, 1);
  first.rotate(name_of(2));
  first.checkpoint();
  files_.append(1, first.take());
  const std::uint64_t written = tailer_.written();
  EXPECT_EQ(poll(), TailEvent::error);
  EXPECT_EQ(tailer_.error(), EBADMSG);
  EXPECT_EQ(tailer_.fault(), TrackerFault::bytes_after_end);
  EXPECT_EQ(tailer_.written(), written);
  expect_stopped();
}

TEST_F(TailerTest, BytesAddedBehindTheLastEventLaterAreAnError) {
  BinlogWriter first = file(1, 1);
  first.rotate(name_of(2));
  files_.append(1, first.take());
  start(1, 1);
  first.checkpoint();
  files_.append(1, first.take());
  files_.append(2, file(2, 2).take());
  EXPECT_EQ(next_event(), TailEvent::error);
  EXPECT_EQ(tailer_.error(), EBADMSG);
}

TEST_F(TailerTest, GarbageAndFailedReadsAreErrors) {
  BinlogWriter first = file(1, 1);
  files_.append(1, first.take());
  start(1, 1);
  files_.append(1, Bytes(40));
  EXPECT_EQ(poll(), TailEvent::error);
  EXPECT_EQ(tailer_.fault(), TrackerFault::bad_length);
  expect_stopped();

  StreamStart found;
  const ScanResult scanned = scan_stream(files_, 1, 1, found);
  EXPECT_EQ(scanned.error, EBADMSG);
  EXPECT_EQ(scanned.fault, TrackerFault::bad_length);

  files_.append(2, file(2, 2).take());
  start(1, 2);
  EXPECT_EQ(tailer_.map().end_of(1)->last_group_end, first.size());
  files_.read_error = EIO;
  EXPECT_EQ(poll(), TailEvent::error);
  EXPECT_EQ(tailer_.error(), EIO);
  files_.read_error = 0;
  start(1, 2);
  files_.open_error = EMFILE;
  EXPECT_EQ(next_event(), TailEvent::error);
  EXPECT_EQ(tailer_.error(), EMFILE);
  files_.open_error = 0;
  files_.remove(2);
  EXPECT_EQ(scan_stream(files_, 1, 2, found).error, ENOENT);
}

TEST_F(TailerTest, ScanKnowsHowEveryOlderFileEnded) {
  BinlogWriter rotated = file(1, 2);
  rotated.rotate(name_of(2));
  files_.append(1, rotated.take());
  BinlogWriter stopped = file(3, 4);
  stopped.stop();
  files_.append(2, stopped.take());
  BinlogWriter torn = file(5, 6, 1);
  const std::uint64_t whole = torn.size();
  torn.gtid(7);
  torn.raw("half an event");
  files_.append(3, torn.take());
  BinlogWriter zeros = file(7, 7, 1);
  const std::uint64_t before_zeros = zeros.size();
  zeros.raw(std::string(100, '\0'));
  files_.append(4, zeros.take());
  files_.append(5, {});
  BinlogWriter plain(false);  // without checksums
  plain.begin({}, 1);
  plain.rotate(name_of(7));
  files_.append(6, plain.take());
  files_.append(7, file(8, 8).take());
  files_.max_read = 100;
  start(1, 7);
  const StreamMap& map = tailer_.map();
  const auto check = [&](std::uint32_t number, std::uint64_t group_end, int in_use) {
    const auto end = map.end_of(number);
    ASSERT_TRUE(end);
    EXPECT_EQ(end->final_size, files_.data(number).size()) << number;
    EXPECT_EQ(end->last_group_end, group_end) << number;
    EXPECT_EQ(end->flags_byte & 1, in_use) << number;
  };
  check(1, rotated.size(), 0);
  check(2, stopped.size(), 0);
  check(3, whole, 1);
  check(4, before_zeros, 1);
  check(5, 0, 0);
  check(6, plain.size(), 0);
  EXPECT_EQ(tailer_.written_position(), (Position{7, files_.data(7).size()}));
  EXPECT_EQ(files_.open_count(), 1U);
}

TEST_F(TailerTest, ScanRefusesEncryptedFiles) {
  BinlogWriter encrypted;
  encrypted.magic();
  encrypted.format();
  encrypted.event(EventType::start_encryption, "scheme, key version, nonce");
  encrypted.raw("ciphertext");
  files_.append(1, encrypted.take());
  StreamStart found;
  const ScanResult newest = scan_stream(files_, 1, 1, found);
  EXPECT_EQ(newest.error, EBADMSG);
  EXPECT_EQ(newest.fault, TrackerFault::encrypted);
  files_.append(2, file(1, 1).take());
  const ScanResult older = scan_stream(files_, 1, 2, found);
  EXPECT_EQ(older.fault, TrackerFault::encrypted);
  EXPECT_EQ(older.file, 1U);
}

TEST_F(TailerTest, PurgedFilesDropOffTheMap) {
  for (std::uint32_t number = 1; number <= 5; ++number) {
    BinlogWriter writer = file(number, number);
    if (number < 5) writer.rotate(name_of(number + 1));
    files_.append(number, writer.take());
  }
  start(1, 5);
  const std::uint64_t written = tailer_.written();
  EXPECT_FALSE(tailer_.drop_purged(10));
  EXPECT_EQ(tailer_.map().first_file(), 1U);
  for (std::uint32_t number = 1; number <= 3; ++number) files_.remove(number);
  EXPECT_TRUE(tailer_.drop_purged(2));
  EXPECT_EQ(tailer_.map().first_file(), 3U);
  EXPECT_FALSE(tailer_.drop_purged(2));
  EXPECT_EQ(tailer_.map().first_file(), 4U);
  EXPECT_EQ(tailer_.written(), written);
}

TEST_F(TailerTest, MoreFilesThanTheMapHolds) {
  Tailer<FakeBinlogFiles> tailer(files_, TailWindow::kDefaultCapacity, 4);
  for (std::uint32_t number = 1; number <= 10; ++number) {
    BinlogWriter writer = file(number, number);
    if (number < 10) writer.rotate(name_of(number + 1));
    files_.append(number, writer.take());
  }
  StreamStart found{StreamMap(4), {}};
  const ScanResult result = scan_stream(files_, 1, 10, found);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result.skipped_files, 6U);
  ASSERT_EQ(tailer.start(found, 0), 0);
  EXPECT_EQ(tailer.map().first_file(), 7U);
  EXPECT_EQ(tailer.written_position(), (Position{10, files_.data(10).size()}));
}

TEST_F(TailerTest, OffsetsBeyondFourGigabytes) {
  // A tracker that was fed 5 GiB of one transaction, and a file that holds nothing of it but zeros.
  BinlogWriter writer = file(1, 1);
  StreamStart found;
  found.map.begin(1);
  found.tracker.start_file(1);
  found.tracker.on_bytes(0, writer.take());
  writer.gtid(2);
  found.tracker.on_bytes(found.tracker.end().offset, writer.take());
  Bytes header(kEventHeaderSize);
  header[4] = std::byte{30};
  store_le<std::uint32_t>(header.data() + 9, 1U << 30);
  const Bytes filler(std::size_t{1} << 20);
  for (int row = 0; row < 5; ++row) {
    found.tracker.on_bytes(found.tracker.end().offset, header);
    for (std::uint64_t left = (1U << 30) - header.size(); left > 0;) {
      const auto size = std::min<std::uint64_t>(left, filler.size());
      found.tracker.on_bytes(found.tracker.end().offset, ConstBytes(filler).first(size));
      left -= size;
    }
  }
  const std::uint64_t offset = found.tracker.end().offset;
  ASSERT_GT(offset, 1ULL << 32);
  files_.begin_with_hole(1, offset);
  ASSERT_EQ(tailer_.start(found, now_ns_), 0);
  writer.xid();
  Bytes xid = writer.take();
  store_le<std::uint32_t>(xid.data() + 13, static_cast<std::uint32_t>(offset + xid.size()));
  test::sum_again(xid, 0);
  files_.append(1, xid);
  EXPECT_EQ(poll(), TailEvent::grew);
  EXPECT_EQ(tailer_.written_position(), (Position{1, offset + xid.size()}));
  EXPECT_EQ(tailer_.group_end(), offset + xid.size());
}

TEST_F(TailerTest, CountsGroupsBetweenTwoPositions) {
  BinlogWriter first = file(1, 2);
  const std::uint64_t behind_two = first.size();
  first.transaction(3, 10);
  const std::uint64_t behind_three = first.size();
  first.rotate(name_of(2));
  files_.append(1, first.take());
  BinlogWriter second = file(4, 6);
  const std::uint64_t behind_six = second.size();
  second.gtid(7);
  files_.append(2, second.take());
  files_.max_read = 50;
  EXPECT_EQ(count_groups(files_, {1, 0}, {1, 0}), 0U);
  EXPECT_EQ(count_groups(files_, {1, 4}, {1, behind_two}), 2U);
  EXPECT_EQ(count_groups(files_, {1, behind_two}, {1, behind_three}), 1U);
  EXPECT_EQ(count_groups(files_, {1, behind_two + 3}, {1, behind_three}), 1U);
  EXPECT_EQ(count_groups(files_, {1, behind_two}, {1, behind_three - 1}), 0U);
  // A stream that is sealed within a group.
  EXPECT_EQ(whole_groups_before(files_, {1, behind_three}), (Position{1, behind_three}));
  EXPECT_EQ(whole_groups_before(files_, {1, behind_three - 1}), (Position{1, behind_two}));
  EXPECT_EQ(whole_groups_before(files_, {1, behind_two + 1}), (Position{1, behind_two}));
  EXPECT_EQ(whole_groups_before(files_, {2, 0}), (Position{2, 0}));
  EXPECT_EQ(whole_groups_before(files_, {9, 100}), std::nullopt);
  EXPECT_EQ(count_groups(files_, {1, behind_two}, {2, 0}), 1U);
  EXPECT_EQ(count_groups(files_, {1, behind_two}, {2, behind_six}), 4U);
  EXPECT_EQ(count_groups(files_, {1, 0}, {2, second.size()}), 6U);
  EXPECT_EQ(count_groups(files_, {1, 0}, {2, second.size() + 1}), std::nullopt);
  EXPECT_EQ(count_groups(files_, {1, 0}, {3, 5}), std::nullopt);
  EXPECT_EQ(files_.open_count(), 0U);
}

}  // namespace
}  // namespace binlane
