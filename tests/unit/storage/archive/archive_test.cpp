// The archiver over a real journal file and real folders; errors come from an ArchiveIo in between.
#include "storage/archive/archive.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <string>

#include "base/error.h"
#include "base/spsc_queue.h"
#include "base/stream_digest.h"
#include "storage/journal/journal_disk.h"
#include "support/journal_memory.h"
#include "support/scarcity.h"
#include "support/temporary_directory.h"

namespace binlane {
namespace {

constexpr std::uint32_t kBlocks = 256;

// A group ends with each '.'.
class DotGroups : public GroupSink {
 public:
  void start_file(std::uint32_t number) override { end_ = whole_ = {number, 0}; }
  void on_bytes(Position at, ConstBytes bytes) override {
    EXPECT_EQ(at, end_) << "bytes are missing or come twice";
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      if (bytes[i] == std::byte{'.'}) whole_ = {at.file, at.offset + i + 1};
    }
    end_ = {at.file, at.offset + bytes.size()};
  }
  Position whole_groups() const override { return whole_; }

 private:
  Position end_;
  Position whole_;
};

class FaultyIo : public ArchiveIo {
 public:
  int write(int descriptor, ConstBytes bytes, std::uint64_t offset, std::size_t& written) override {
    written = 0;
    if (write_error != 0) return write_error;
    const std::size_t taken = std::min<std::size_t>(bytes.size(), room);
    room -= taken;
    const int error = ArchiveIo::write(descriptor, bytes.first(taken), offset, written);
    return error == 0 && taken < bytes.size() ? ENOSPC : error;
  }
  int make_directory(const std::string& path) override {
    return folder_error != 0 ? folder_error : ArchiveIo::make_directory(path);
  }
  int sync_directory(const std::string& path) override {
    if (folder_sync_error != 0) return folder_sync_error;
    ++folder_syncs;
    return ArchiveIo::sync_directory(path);
  }
  int open(const std::string& path, int& descriptor) override {
    return open_error != 0 ? open_error : ArchiveIo::open(path, descriptor);
  }
  int sync(int descriptor) override {
    ++syncs;
    return sync_error != 0 ? sync_error : ArchiveIo::sync(descriptor);
  }

  std::size_t room = SIZE_MAX;
  int write_error = 0;
  int sync_error = 0;
  int syncs = 0;
  int folder_error = 0;
  int folder_sync_error = 0;
  int folder_syncs = 0;
  int open_error = 0;
};

class ArchiveTest : public testing::Test {
 protected:
  void SetUp() override {
    open();
    journal_->begin_at({3, 0});
    ASSERT_EQ(file_->set_stream({Uuid::random(), 1, "binlog"}, {}), 0);
  }

  // (Re)starts everything, as after a crash: nothing of this process's memory remains.
  void open() { ASSERT_EQ(try_to_open(), ""); }
  std::string try_to_open() {
    archiver_.reset();
    disk_.reset();
    journal_.reset();
    file_.reset();
    queues_ = std::make_unique<Queues>();
    sent_ = {};
    groups_ = std::make_unique<DotGroups>();
    file_.reset(new JournalFile(
        JournalFile::open_or_format({folder_.file("journal"), kBlocks * kBlockSize, true})));
    journal_ = std::make_unique<Journal>(file_->image(), file_->start());
    disk_ = std::make_unique<BufferedDisk>(file_->descriptor());
    archiver_ = std::make_unique<Archiver>(*file_, *journal_, folder_.file("archive"), *groups_,
                                           archive_channel(queues_->marks, queues_->freed), &io_);
    return archiver_->open(*journal_);
  }

  bool append(const std::string& text) {
    const Position at = journal_->end();
    if (!journal_->append(at, test_bytes(text))) return false;
    stream_[at.file] += text;
    return true;
  }
  void end_file(std::uint8_t flags_byte = 0) {
    const Position at = journal_->end();
    ASSERT_TRUE(journal_->append_file_end({at.file, at.offset, at.offset, flags_byte}));
    if (at.offset > kInUseOffset && (flags_byte & 1) == 0) stream_[at.file][kInUseOffset] &= ~1;
  }
  // What the lane does in a turn.
  void turn() {
    while (const auto write = journal_->next_write()) {
      disk_->submit(*write);
      std::array<DiskCompletion, 2> done;
      const std::size_t count = disk_->reap(done);
      for (std::size_t i = 0; i < count; ++i) journal_->on_completion(done[i]);
    }
    const ReleaseMark& mark = journal_->release_mark();
    if (!mark.covers_same_as(sent_) && queues_->marks.try_push(mark)) sent_ = mark;
    std::uint64_t sequence = 0;
    while (queues_->freed.try_pop(sequence)) journal_->on_archived(sequence);
  }
  void release_all() {
    turn();
    journal_->release(journal_->durable_log());
    turn();
  }
  void step(std::uint64_t after_ns = kNanosPerMilli) {
    now_ns_ += after_ns;
    archiver_->step(now_ns_);
    turn();
  }
  std::string content(std::uint32_t number) const {
    std::ifstream file(folder_.file("archive/" + binlog_file_name("binlog", number)),
                       std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
  void write_file(std::uint32_t number, const std::string& text) const {
    std::ofstream(folder_.file("archive/" + binlog_file_name("binlog", number)),
                  std::ios::binary | std::ios::trunc)
        << text;
  }
  Position written() const { return archiver_->end_watch().end().released_bytes; }
  Position whole_groups() const { return archiver_->end_watch().whole_groups(); }

  struct Queues {
    SpscQueue<ReleaseMark, 1024> marks;
    SpscQueue<std::uint64_t, 1024> freed;
  };
  TemporaryDirectory folder_;
  FaultyIo io_;
  std::unique_ptr<Queues> queues_;
  std::unique_ptr<DotGroups> groups_;
  std::unique_ptr<JournalFile> file_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<BufferedDisk> disk_;
  std::unique_ptr<Archiver> archiver_;
  ReleaseMark sent_;
  std::map<std::uint32_t, std::string> stream_;  // as the source's files are
  std::uint64_t now_ns_ = kNanosPerSecond;
};

TEST_F(ArchiveTest, WritesWhatIsReleasedAndNoMore) {
  append("one.two.thr");
  turn();
  step();
  EXPECT_FALSE(std::filesystem::exists(folder_.file("archive/binlog.000003")));
  journal_->release(5);
  turn();
  step();
  EXPECT_EQ(content(3), "one.t");
  EXPECT_EQ(written(), (Position{3, 5}));
  EXPECT_EQ(whole_groups(), (Position{3, 4}));
  release_all();
  step();
  EXPECT_EQ(content(3), "one.two.thr");
  EXPECT_EQ(whole_groups(), (Position{3, 8}));
  struct stat status {};
  ASSERT_EQ(::stat(folder_.file("archive/binlog.000003").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777 & ~0640u, 0u);
}

TEST_F(ArchiveTest, SyncsAfterASecondThenStoresThenFrees) {
  append("one.");
  release_all();
  step();
  EXPECT_EQ(io_.syncs, 0);
  EXPECT_EQ(file_->meta().archived.sequence, 0u);
  EXPECT_EQ(journal_->free_blocks(), kBlocks - kReservedBlocks - 1);
  step(kArchiveSyncNs);
  EXPECT_EQ(io_.syncs, 1);
  EXPECT_EQ(file_->meta().archived.sequence, 1u);
  EXPECT_EQ(file_->meta().archived.position, (Position{3, 4}));
  EXPECT_EQ(file_->meta().released, (Position{3, 4}));
  EXPECT_EQ(journal_->free_blocks(), kBlocks - kReservedBlocks);
  step(kArchiveSyncNs);
  EXPECT_EQ(io_.syncs, 1) << "nothing new to sync";
}

TEST_F(ArchiveTest, SyncsEarlyWhenTheRingFillsUp) {
  append(std::string(kBlockPayloadSize * (kBlocks / 4 + 1), 'x'));
  release_all();
  step();
  EXPECT_EQ(io_.syncs, 1);
  EXPECT_EQ(journal_->free_blocks(), kBlocks - kReservedBlocks);
}

TEST_F(ArchiveTest, EndsFilesAsTheServerDoes) {
  std::string first = std::string(
                          "\xfe"
                          "bin",
                          4) +
                      std::string(40, 'a') + ".";
  first[kInUseOffset] = '\x03';
  append(first);
  end_file(0x02);
  append("torn file.");
  end_file(0x01);
  append("third.");
  release_all();
  step();
  EXPECT_EQ(content(3), stream_[3]);
  EXPECT_EQ(content(3)[kInUseOffset], '\x02');
  EXPECT_EQ(content(4), "torn file.");
  EXPECT_EQ(content(5), "third.");
  EXPECT_EQ(whole_groups(), (Position{5, 6}));
  EXPECT_EQ(archiver_->status().files_ended, 2u);
  EXPECT_EQ(io_.syncs, 2);
}

TEST_F(ArchiveTest, KeepsTheInUseFlagOfATornFile) {
  std::string first(40, 'a');
  first[kInUseOffset] = '\x01';
  append(first);
  end_file(0x01);
  release_all();
  step();
  EXPECT_EQ(content(3)[kInUseOffset], '\x01');
  EXPECT_EQ(whole_groups(), (Position{4, 0}));
}

TEST_F(ArchiveTest, WaitsForRoomAndLosesNothing) {
  io_.room = 5;
  append("one.two.three.");
  release_all();
  step();
  EXPECT_EQ(content(3), "one.t");
  EXPECT_TRUE(archiver_->status().waits_for_room);
  EXPECT_EQ(archiver_->status().failure, "");
  EXPECT_EQ(archiver_->status().disk_full_count, 1u);
  step();
  EXPECT_EQ(archiver_->status().disk_full_count, 1u) << "not before a second has passed";
  io_.room = 2;
  step(kArchiveRetryNs);
  EXPECT_EQ(content(3), "one.two");
  EXPECT_EQ(archiver_->status().disk_full_count, 2u);
  EXPECT_EQ(file_->meta().archived.sequence, 0u) << "what is not written is not archived";
  io_.room = SIZE_MAX;
  step(kArchiveRetryNs);
  EXPECT_EQ(content(3), "one.two.three.");
  EXPECT_FALSE(archiver_->status().waits_for_room);
  step(kArchiveSyncNs);
  EXPECT_EQ(file_->meta().archived.sequence, 1u);
}

TEST_F(ArchiveTest, StopsForEverWhenASyncFails) {
  append("one.");
  release_all();
  io_.sync_error = EIO;
  step();
  step(kArchiveSyncNs);
  EXPECT_NE(archiver_->status().failure.find("syncing failed"), std::string::npos);
  io_.sync_error = 0;
  append("two.");
  release_all();
  step(kArchiveSyncNs);
  EXPECT_EQ(content(3), "one.");
  EXPECT_EQ(file_->meta().archived.sequence, 0u);
}

TEST_F(ArchiveTest, TakesAFullDiskAtASyncForFinal) {
  append("one.");
  release_all();
  io_.sync_error = ENOSPC;
  step();
  step(kArchiveSyncNs);
  EXPECT_NE(archiver_->status().failure, "");
}

TEST_F(ArchiveTest, StopsWhenAWriteFails) {
  append("one.");
  release_all();
  io_.write_error = EIO;
  step();
  EXPECT_NE(archiver_->status().failure.find("writing failed"), std::string::npos);
}

TEST_F(ArchiveTest, CompletesTheFilesFromTheJournalAfterACrash) {
  append("one.two.");
  release_all();
  step();
  step(kArchiveSyncNs);
  append("three.four");
  release_all();
  step();  // written, not synced
  ASSERT_EQ(content(3), "one.two.three.four");
  std::filesystem::resize_file(folder_.file("archive/binlog.000003"), 10);  // the power cut
  open();
  EXPECT_EQ(written(), (Position{3, 10}));
  EXPECT_EQ(whole_groups(), (Position{3, 8}));
  EXPECT_EQ(journal_->released(), (Position{3, 10}));
  release_all();
  step();
  EXPECT_EQ(content(3), "one.two.three.four");
  EXPECT_EQ(whole_groups(), (Position{3, 14}));
}

// The feed may have served all of it, so after a restart the limit must not be before that.
TEST_F(ArchiveTest, TakesBackWhatTheFilesHoldAsReleased) {
  append("one.two.");
  release_all();
  step();
  open();
  EXPECT_EQ(journal_->released(), (Position{3, 8}));
  EXPECT_EQ(whole_groups(), (Position{3, 8}));
  step();
  EXPECT_EQ(content(3), "one.two.");
}

TEST_F(ArchiveTest, TakesBackWholeFiles) {
  std::string first(60, 'a');
  first[kInUseOffset] = '\x01';
  append(first);
  end_file();
  append("second.");
  release_all();
  step();
  open();
  EXPECT_EQ(whole_groups(), (Position{4, 7}));
  append("more.");
  release_all();
  step();
  EXPECT_EQ(content(3), stream_[3]);
  EXPECT_EQ(content(4), "second.more.");
}

// A power cut can leave anything after what was synced.
TEST_F(ArchiveTest, OverwritesGarbageBehindWhatWasSynced) {
  append("one.two.");
  release_all();
  step();
  step(kArchiveSyncNs);
  append("three.");
  release_all();
  write_file(3, "one.two.thr" + std::string(100, '\0'));
  open();
  EXPECT_EQ(written(), (Position{3, 11}));
  release_all();
  step();
  EXPECT_EQ(content(3), "one.two.three.");
}

TEST_F(ArchiveTest, RemovesWhatAnotherLifeLeftInANewFile) {
  append("one.");
  release_all();
  step();
  end_file();
  write_file(4, "left over from a replica that was re-created");
  append("two.");
  release_all();
  step();
  EXPECT_EQ(content(4), "two.");
}

TEST_F(ArchiveTest, RefusesAnArchiveThatLostBytes) {
  append("one.two.");
  release_all();
  step();
  step(kArchiveSyncNs);
  write_file(3, "one");
  EXPECT_NE(try_to_open().find("has 3 bytes, but the journal has archived 8 bytes of it"),
            std::string::npos);
  std::filesystem::remove(folder_.file("archive/binlog.000003"));
  EXPECT_NE(try_to_open().find("is missing"), std::string::npos);
  EXPECT_NE(archiver_->status().failure.find("is missing"), std::string::npos);
}

TEST_F(ArchiveTest, AFolderThatCannotBeMadeIsTriedAgain) {
  io_.folder_error = EACCES;
  EXPECT_NE(try_to_open().find("the archive's folder cannot be used"), std::string::npos);
  EXPECT_NE(archiver_->status().failure.find("tried again"), std::string::npos);
  io_.folder_error = 0;
  EXPECT_EQ(archiver_->open(*journal_), "");
  EXPECT_EQ(archiver_->status().failure, "");
  journal_->begin_at({3, 0});
  append("one.");
  release_all();
  step();
  EXPECT_EQ(content(3), "one.");
}

TEST_F(ArchiveTest, WithoutDescriptorsItWaits) {
  io_.open_error = EMFILE;
  append("one.");
  release_all();
  step();
  EXPECT_NE(archiver_->status().failure.find("Too many open files"), std::string::npos);
  EXPECT_FALSE(archiver_->status().waits_for_room);
  io_.open_error = 0;
  step();
  EXPECT_FALSE(std::filesystem::exists(folder_.file("archive/binlog.000003"))) << "not so soon";
  // The file is made, and its name cannot be synced.
  io_.folder_sync_error = EMFILE;
  step(kArchiveRetryNs);
  EXPECT_NE(archiver_->status().failure.find("Too many open files"), std::string::npos);
  io_.folder_sync_error = 0;
  io_.folder_syncs = 0;
  step(kArchiveRetryNs);
  EXPECT_EQ(io_.folder_syncs, 1) << "the name of a file that is there by now";
  EXPECT_EQ(archiver_->status().failure, "");
  EXPECT_EQ(content(3), "one.");
  step(kArchiveSyncNs);
  EXPECT_EQ(file_->meta().archived.position, (Position{3, 4}));
}

TEST_F(ArchiveTest, AFolderThatCouldNotBeSyncedIsFinal) {
  io_.folder_sync_error = EIO;
  append("one.");
  release_all();
  step();
  io_.folder_sync_error = 0;
  step(kArchiveRetryNs);
  EXPECT_EQ(content(3), "");
  EXPECT_NE(archiver_->status().failure.find("errno 5"), std::string::npos);
}

TEST_F(ArchiveTest, WithoutAThreadItIsStartedLater) {
  {
    const NoThreads none;
    EXPECT_NE(archiver_->start().find("no thread can be started"), std::string::npos);
    EXPECT_NE(archiver_->status().failure.find("no thread can be started"), std::string::npos);
  }
  EXPECT_EQ(archiver_->start(), "");
  EXPECT_EQ(archiver_->status().failure, "");
  append("one.");
  release_all();
  archiver_->stop();
  EXPECT_EQ(content(3), "one.");
}

TEST_F(ArchiveTest, FreesBlocksThatWereCutAway) {
  append("kept.lost.");
  turn();
  journal_->release(5);
  turn();
  ASSERT_TRUE(journal_->cut(5, {1, 1}));
  turn();
  step();
  step(kArchiveSyncNs);
  EXPECT_EQ(content(3), "kept.");
  EXPECT_EQ(file_->meta().archived.sequence, 2u);
  EXPECT_EQ(file_->meta().archived.epoch, (Epoch{1, 1}));
  EXPECT_EQ(file_->meta().archived.data_epoch, (Epoch{}));
  append("new.");
  open();
  EXPECT_EQ(journal_->end(), (Position{3, 5}));
  EXPECT_EQ(journal_->epoch(), (Epoch{1, 1}));
}

TEST_F(ArchiveTest, WakesWaitersBeyondAPosition) {
  ASSERT_EQ(archiver_->start(), "");
  std::thread waiter([&] {
    EXPECT_TRUE(archiver_->end_watch().wait_beyond({3, 4}, monotonic_ns() + 20 * kNanosPerSecond));
  });
  append("one.two.");
  release_all();
  waiter.join();
  EXPECT_FALSE(archiver_->end_watch().wait_beyond({3, 8}, monotonic_ns() + kNanosPerMilli));
  archiver_->stop();
  EXPECT_EQ(file_->meta().archived.position, (Position{3, 8})) << "stop() syncs";
  turn();
  EXPECT_EQ(journal_->free_blocks(), kBlocks - kReservedBlocks);
}

// Random streams over many laps of the ring and several restarts, with the thread running beside
// the lane: the files must equal the stream.
TEST_F(ArchiveTest, FilesEqualTheStream) {
  std::mt19937_64 random(42);
  const auto deadline = monotonic_ns() + 60 * kNanosPerSecond;
  for (int life = 0; life < 4; ++life) {
    ASSERT_EQ(archiver_->start(), "");
    for (int i = 0; i < 400; ++i) {
      std::string text(1 + random() % (random() % 10 == 0 ? 30'000 : 600), '\0');
      for (char& byte : text) byte = static_cast<char>(random());
      while (!append(text)) {
        ASSERT_LT(monotonic_ns(), deadline);
        release_all();
        std::this_thread::yield();
      }
      if (random() % 50 == 0 && journal_->free_blocks() > 0) end_file();
      if (random() % 3 == 0) turn();
      if (random() % 5 == 0) {
        journal_->release(journal_->released_log() + random() % 3000);
        turn();
      }
    }
    release_all();
    while (archiver_->status().end != journal_->end()) {
      ASSERT_LT(monotonic_ns(), deadline);
      release_all();
      std::this_thread::yield();
    }
    open();
    EXPECT_EQ(written(), journal_->end());
  }
  EXPECT_GT(file_->meta().archived.sequence, 2 * kBlocks);
  ASSERT_GT(stream_.size(), 5u);
  for (const auto& [number, text] : stream_) EXPECT_TRUE(content(number) == text) << number;
}

TEST_F(ArchiveTest, DigestsTheEndOfAFile) {
  std::string first(60, 'a');
  first[kInUseOffset] = '\x01';
  append(first);
  end_file();
  append("second.");
  release_all();
  step();
  const std::string folder = folder_.file("archive");
  ArchiveDigest digest = digest_archive(folder, "binlog", {4, 7}, 65536);
  EXPECT_EQ(digest.length, 7u);
  EXPECT_EQ(digest.digest, digest_bytes(0, 0, test_bytes("second.")));
  digest = digest_archive(folder, "binlog", {4, 7}, 3);
  EXPECT_EQ(digest.length, 3u);
  EXPECT_EQ(digest.digest, digest_bytes(0, 4, test_bytes("nd.")));
  digest = digest_archive(folder, "binlog", {4, 0}, 65536);
  EXPECT_EQ(digest.end, (Position{3, 60}));
  EXPECT_EQ(digest.length, 60u);
  EXPECT_EQ(digest.digest, digest_bytes(0, 0, test_bytes(first)));
  EXPECT_EQ(digest_archive(folder, "binlog", {9, 7}, 65536).length, 0u);
  EXPECT_EQ(digest_archive(folder, "binlog", {}, 65536).length, 0u);
  EXPECT_EQ(digest_archive(folder, "binlog", {4, 99}, 65536).length, 0u);
}

}  // namespace
}  // namespace binlane
