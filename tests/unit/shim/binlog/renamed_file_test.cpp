// The tailer and the scan over files that a server makes by renaming a transaction's cache: every
// state that is visible in between, byte for byte, and what a crash leaves of each.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "base/position.h"
#include "base/stream_digest.h"
#include "shim/binlog/stream_digester.h"
#include "shim/binlog/tailer.h"
#include "support/fake_binlog_files.h"
#include "support/numbered_binlog.h"
#include "support/renamed_binlog.h"
#include "support/temporary_directory.h"

namespace binlane {
namespace {

using test::BinlogWriter;
using test::Bytes;
using test::FakeBinlogFiles;
using test::numbered_binlog;
using test::RenamedBinlog;

class RenamedFileTest : public ::testing::Test {
 protected:
  // File 1 holds 0-7-1 to 0-7-4 and has ended; file 2 is to follow.
  RenamedFileTest() { files_.append(1, numbered_binlog(1, 4, 0, 2)); }

  void start() {
    StreamStart found;
    ASSERT_TRUE(scan_stream(files_, 1, 1, found).ok());
    ASSERT_EQ(tailer_.start(found, now_ns_), 0);
    EXPECT_EQ(tailer_.written_position(), (Position{2, 0}));
  }
  TailEvent poll(std::uint64_t later_ns = Tailer<FakeBinlogFiles>::kNextFileProbe_ns) {
    now_ns_ += later_ns;
    return tailer_.poll(now_ns_);
  }
  // However long it lasts, it is not there yet, and the next name may mean another file.
  void expect_waiting() {
    for (int turn = 0; turn < 500; ++turn) {
      ASSERT_EQ(poll(turn < 100 ? Tailer<FakeBinlogFiles>::kNextFileProbe_ns
                                : Tailer<FakeBinlogFiles>::kIdleProbe_ns),
                TailEvent::none);
      ASSERT_EQ(files_.open_count(), 1U);
    }
    EXPECT_TRUE(tailer_.running());
    EXPECT_EQ(tailer_.written_position(), (Position{2, 0}));
  }
  // The event that ends a row of polls in which the stream grows.
  TailEvent event_after_growth() {
    TailEvent event = TailEvent::none;
    for (int turn = 0; turn < 200 && !stops_tailer(event); ++turn) event = poll();
    return event;
  }

  FakeBinlogFiles files_;
  Tailer<FakeBinlogFiles> tailer_{files_};
  std::uint64_t now_ns_ = kNanosPerSecond;
};

TEST_F(RenamedFileTest, EveryStateBeforeTheHeadIsNotThereYet) {
  for (const bool checksums : {true, false}) {
    files_.remove(2);
    start();
    const RenamedBinlog next(5, 100'000, checksums);
    expect_waiting();  // no such file
    const std::uint64_t read_ns = tailer_.all_read_ns();
    EXPECT_EQ(read_ns, now_ns_);
    files_.append(2, {});  // the first one of that name, empty
    expect_waiting();
    files_.remove(2);
    expect_waiting();
    files_.append(2, next.headless());
    expect_waiting();
    // The head, without the last event.
    files_.data(2) = next.headed();
    EXPECT_EQ(event_after_growth(), TailEvent::none);
    EXPECT_TRUE(tailer_.running());
    EXPECT_EQ(tailer_.written_position(), (Position{2, next.headed().size()}));
    EXPECT_EQ(tailer_.group_end(), tailer_.map().current_begin());
    files_.data(2) = next.whole();
    EXPECT_EQ(poll(), TailEvent::grew);
    EXPECT_EQ(tailer_.group_end(), tailer_.written());
    EXPECT_EQ(tailer_.written_position(), (Position{2, next.whole().size()}));
    EXPECT_GT(tailer_.counters().heads_awaited, 0U);
    EXPECT_EQ(tailer_.counters().unproven_files, 0U);
    tailer_.stop();
  }
}

// While a file waits for its head nobody knows what is written in it, so not all is read.
TEST_F(RenamedFileTest, WhatIsInAFileWithoutAHeadIsNotRead) {
  start();
  ASSERT_EQ(poll(), TailEvent::none);
  const std::uint64_t read_ns = tailer_.all_read_ns();
  files_.append(2, RenamedBinlog(5).headless());
  expect_waiting();
  EXPECT_EQ(tailer_.all_read_ns(), read_ns);
}

// For how long the file has had no head is told, whatever is seen of it in between.
TEST_F(RenamedFileTest, AWaitForAHeadIsTold) {
  start();
  EXPECT_EQ(tailer_.counters().head_wait.file, 0U);
  files_.append(2, {});
  const RenamedBinlog next(5);
  ASSERT_EQ(poll(), TailEvent::none);
  const HeadWait first = tailer_.counters().head_wait;
  EXPECT_EQ(first.file, 2U);
  EXPECT_EQ(first.since_ns, now_ns_);
  files_.data(2) = next.headless();
  ASSERT_EQ(poll(), TailEvent::none);
  EXPECT_EQ(tailer_.counters().head_wait.since_ns, first.since_ns);
  EXPECT_FALSE(first.is_long(first.since_ns + HeadWait::kLong_ns - 1));
  EXPECT_TRUE(first.is_long(first.since_ns + HeadWait::kLong_ns));
  // It is gone again, or has a head, or is followed no more.
  files_.remove(2);
  ASSERT_EQ(poll(), TailEvent::none);
  EXPECT_EQ(tailer_.counters().head_wait.file, 0U);
  files_.append(2, next.headless());
  ASSERT_EQ(poll(), TailEvent::none);
  EXPECT_GT(tailer_.counters().head_wait.since_ns, first.since_ns);
  files_.data(2) = next.headed();
  EXPECT_EQ(event_after_growth(), TailEvent::none);
  EXPECT_EQ(tailer_.counters().head_wait.file, 0U);
  files_.remove(2);
  tailer_.stop();
  start();
  files_.append(2, next.headless());
  ASSERT_EQ(poll(), TailEvent::none);
  EXPECT_EQ(tailer_.counters().head_wait.file, 2U);
  tailer_.stop();
  EXPECT_EQ(tailer_.counters().head_wait.file, 0U);
}

// The head's write is not atomic for a reader.
TEST_F(RenamedFileTest, ATornHeadIsNotFollowed) {
  start();
  const RenamedBinlog next(5);
  Bytes torn = next.headed();
  std::fill(torn.begin() + 300, torn.begin() + kFileHeadSize, std::byte{0});
  files_.append(2, torn);
  for (int turn = 0; turn < 100; ++turn) ASSERT_EQ(poll(), TailEvent::none);
  EXPECT_EQ(files_.open_count(), 1U);
  files_.data(2) = next.headed();
  EXPECT_EQ(event_after_growth(), TailEvent::none);
  EXPECT_EQ(tailer_.written_position(), (Position{2, next.headed().size()}));
}

// A head that stays like that is damaged, and that is said.
TEST_F(RenamedFileTest, AHeadThatStaysTornIsAnError) {
  start();
  Bytes torn = RenamedBinlog(5).headed();
  std::fill(torn.begin() + 40, torn.begin() + kFileHeadSize, std::byte{0});
  files_.append(2, torn);
  EXPECT_EQ(poll(), TailEvent::none);
  now_ns_ += HeadWatch::kTorn_ns;
  EXPECT_EQ(event_after_growth(), TailEvent::error);
  EXPECT_EQ(tailer_.fault(), TrackerFault::bad_length);
  EXPECT_EQ(tailer_.written_position(), (Position{2, 0}));
}

// The server was killed: as it starts it deletes the file, which it had not listed, and gives its
// number to the first file of the new run.
TEST_F(RenamedFileTest, WhatACrashLeftWithoutAHeadIsARestart) {
  const RenamedBinlog next(5);
  for (const Bytes& left : {Bytes{}, next.headless(), next.headed()}) {
    files_.remove(2);
    start();
    files_.append(2, left);
    for (int turn = 0; turn < 100; ++turn) ASSERT_FALSE(stops_tailer(poll()));
    files_.replace(2, numbered_binlog(5, 1, 1'700'000'000));
    for (int turn = 0; turn < 10 && tailer_.running(); ++turn)
      EXPECT_TRUE(poll(Tailer<FakeBinlogFiles>::kIdleProbe_ns) == TailEvent::none ||
                  !tailer_.running());
    EXPECT_FALSE(tailer_.running());
    EXPECT_EQ(files_.open_count(), 0U);
  }
}

// An older file without a last event: the server was killed, and is making the next run's first
// one.
TEST_F(RenamedFileTest, AnEmptyFileAfterATornOneIsNoRestartYet) {
  Bytes torn = numbered_binlog(1, 4);
  torn.resize(torn.size() - 5);
  files_.replace(1, torn);
  StreamStart found;
  ASSERT_TRUE(scan_stream(files_, 1, 1, found).ok());
  ASSERT_EQ(tailer_.start(found, now_ns_), 0);
  files_.append(2, {});
  for (int turn = 0; turn < 10; ++turn)
    ASSERT_EQ(poll(Tailer<FakeBinlogFiles>::kIdleProbe_ns), TailEvent::none);
  files_.append(2, numbered_binlog(4, 1, 1'700'000'000));
  TailEvent event = TailEvent::none;
  for (int turn = 0; turn < 5 && event == TailEvent::none; ++turn)
    event = poll(Tailer<FakeBinlogFiles>::kIdleProbe_ns);
  EXPECT_EQ(event, TailEvent::server_restarted);
}

// An index that lists the file before its head is there.
TEST_F(RenamedFileTest, AScanBeginsBeforeAFileThatIsNotThereYet) {
  const RenamedBinlog next(5);
  for (const Bytes& state : {Bytes{}, next.headless()}) {
    files_.replace(2, state);
    StreamStart found;
    const ScanResult result = scan_stream(files_, 1, 2, found, {true, 1});
    ASSERT_TRUE(result.ok()) << scan_text(result);
    EXPECT_EQ(found.map.current_file(), 1U);
    ASSERT_EQ(tailer_.start(found, now_ns_), 0);
    expect_waiting();
    files_.data(2) = next.whole();
    EXPECT_EQ(event_after_growth(), TailEvent::none);
    EXPECT_EQ(tailer_.written_position(), (Position{2, next.whole().size()}));
  }
}

// Real files, a server that is as quick as it can be, and a reader that looks all the time.
TEST(RenamedFiles, AReaderThatNeverRestsMeetsNoRestart) {
  constexpr std::uint32_t kFiles = 1'000;
  constexpr std::size_t kRowsSize = 10'000;
  const TemporaryDirectory folder;
  const auto path_of = [&](std::uint32_t number) {
    return folder.file(binlog_file_name("binlog", number));
  };
  const auto append = [](const std::string& path, ConstBytes bytes) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const auto written = ::write(file, bytes.data(), bytes.size());
    EXPECT_EQ(written, static_cast<ssize_t>(bytes.size()));
    ::close(file);
  };
  const auto rotate_to = [](std::uint64_t begin, std::uint32_t number) {
    // A writer that is where the file ends.
    BinlogWriter writer;
    writer.raw(std::string(begin, '\0'));
    writer.rotate(binlog_file_name("binlog", number));
    return Bytes(writer.bytes().begin() + static_cast<std::ptrdiff_t>(begin), writer.bytes().end());
  };
  append(path_of(1), numbered_binlog(1, 1));
  PosixBinlogFiles files(folder.path(), "binlog");
  StreamStart found;
  ASSERT_TRUE(scan_stream(files, 1, 1, found).ok());
  Tailer<PosixBinlogFiles> tailer(files);
  ASSERT_EQ(tailer.start(found, 0), 0);

  std::atomic<bool> failed = false;
  std::thread server([&] {
    std::uint64_t end = std::filesystem::file_size(path_of(1));
    for (std::uint32_t number = 2; number <= kFiles && !failed; ++number) {
      const RenamedBinlog next(number, kRowsSize);
      const std::string cache = folder.file("ML");
      append(cache, next.headless());
      append(path_of(number - 1), rotate_to(end, number));
      append(path_of(number), {});
      std::filesystem::remove(path_of(number));
      const int file = ::open(cache.c_str(), O_WRONLY | O_CLOEXEC);
      std::filesystem::rename(cache, path_of(number));
      const Bytes head = next.head();
      EXPECT_EQ(::pwrite(file, head.data(), head.size(), 0), static_cast<ssize_t>(head.size()));
      ::close(file);
      append(path_of(number), ConstBytes(next.whole()).subspan(next.headed().size()));
      end = next.whole().size();
    }
  });
  TailEvent event = TailEvent::none;
  std::uint64_t now_ns = 0;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  while (tailer.written_position().file < kFiles || tailer.tracker().group_count() < kFiles) {
    event = tailer.poll(now_ns += Tailer<PosixBinlogFiles>::kNextFileProbe_ns);
    if (stops_tailer(event) || std::chrono::steady_clock::now() > deadline) break;
  }
  failed = stops_tailer(event);
  server.join();
  EXPECT_FALSE(stops_tailer(event)) << static_cast<int>(event) << to_string(tailer.fault());
  EXPECT_EQ(tailer.tracker().group_count(), kFiles);
  EXPECT_EQ(tailer.counters().unproven_files, 0U);
}

}  // namespace
}  // namespace binlane
