// A journal on a real file: format, open, refusals, and writes through both disks.
#include "storage/journal/journal_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#include "base/error.h"
#include "base/stream_digest.h"
#include "storage/journal/journal_disk.h"
#include "support/journal_memory.h"
#include "support/temporary_directory.h"

namespace binlane {
namespace {

constexpr std::uint32_t kBlocks = 128;

class JournalFileTest : public testing::Test {
 protected:
  JournalFileOptions options(bool buffered = false) const {
    return {folder_.file("journal"), kBlocks * kBlockSize, buffered};
  }
  // The text of the refusal; empty when it opens.
  std::string refusal(const JournalFileOptions& options) {
    try {
      const JournalFile file(options);
      return {};
    } catch (const StartupError& error) {
      return error.what();
    }
  }
  void flip_byte(const std::string& path, std::uint64_t offset) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(offset));
    const int byte = file.get();
    file.seekp(static_cast<std::streamoff>(offset));
    file.put(static_cast<char>(byte ^ 0x55));
  }

  TemporaryDirectory folder_;
};

// Writes out everything that is open, through a disk, with a bound.
template <Disk D>
void drain(Journal& journal, D& disk) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!journal.idle()) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "a completion never arrived";
    while (const auto write = journal.next_write()) disk.submit(*write);
    std::array<DiskCompletion, kMaxWritesInFlight> completions;
    const std::size_t count = disk.reap(completions);
    for (std::size_t i = 0; i < count; ++i) journal.on_completion(completions[i]);
    if (count == 0) std::this_thread::yield();
    ASSERT_FALSE(journal.failed()) << journal.failure();
  }
}

TEST_F(JournalFileTest, FormatsOnceAndOpensAgain) {
  Uuid uuid;
  {
    const JournalFile file = JournalFile::open_or_format(options());
    uuid = file.meta().journal;
    EXPECT_FALSE(uuid.is_null());
    EXPECT_EQ(file.start().incarnation, 1u);
    EXPECT_TRUE(file.start().end.is_null());
    EXPECT_TRUE(file.stream().is_null());
  }
  EXPECT_EQ(std::filesystem::file_size(folder_.file("journal")), kBlocks * kBlockSize);
  const JournalFile file = JournalFile::open_or_format(options());
  EXPECT_EQ(file.meta().journal, uuid);
  EXPECT_EQ(file.start().incarnation, 2u);
  EXPECT_THROW(JournalFile::format(options()), StartupError);
}

template <class Make>
void write_and_reopen(const JournalFileOptions& options, Make make) {
  std::string expected;
  for (int round = 0; round < 3; ++round) {
    JournalFile file = JournalFile::open_or_format(options);
    Journal journal(file.image(), file.start());
    if (round == 0) journal.begin_at({7, 0});
    EXPECT_EQ(journal.durable_log(), expected.size());
    EXPECT_EQ(journal.digest(0, journal.end_log()), digest_bytes(0, 0, test_bytes(expected)));
    // The lane's thread is not the one that made the disk.
    std::thread([&] {
      auto disk = make(file);
      disk->attach();
      for (int i = 0; i < 25; ++i) {
        const std::string text(static_cast<std::size_t>(100 + i * 50), static_cast<char>('a' + i));
        ASSERT_TRUE(journal.append(journal.end(), test_bytes(text)));
        expected += text;
        if (i % 3 != 0) drain(journal, *disk);
      }
      drain(journal, *disk);
    }).join();
    EXPECT_EQ(journal.durable_log(), expected.size());
  }
}

TEST_F(JournalFileTest, SurvivesRestartsThroughIoUring) {
  write_and_reopen(options(), [](JournalFile& file) {
    auto disk = std::make_unique<JournalDisk>(file);
    EXPECT_EQ(disk->describe().rfind("io_uring", 0), 0u) << disk->describe();
    return disk;
  });
}

TEST_F(JournalFileTest, SurvivesRestartsThroughThePageCache) {
  write_and_reopen(options(true),
                   [](JournalFile& file) { return std::make_unique<JournalDisk>(file); });
}

TEST_F(JournalFileTest, WritesWithoutARegisteredBuffer) {
  struct Plain : UringDisk {
    explicit Plain(JournalFile& file) : UringDisk(file.descriptor(), {}) {
      EXPECT_FALSE(setup().registered_buffer);
    }
  };
  write_and_reopen(options(), [](JournalFile& file) { return std::make_unique<Plain>(file); });
}

// The byte of the stream that every life of KillAndReopen writes at `offset`.
char stream_byte(std::uint64_t offset) {
  return static_cast<char>((offset * 2654435761U) >> 7);
}

// A process that writes without end and says on `acks` how far it is durable.
[[noreturn]] void write_until_killed(const JournalFileOptions& options, int acks) {
  JournalFile file(options);
  Journal journal(file.image(), file.start());
  if (journal.end().is_null()) journal.begin_at({1, 0});
  JournalDisk disk(file);
  disk.attach();
  std::uint64_t acked = journal.durable_log();
  for (std::uint64_t i = 0;; ++i) {
    std::string text(1 + i * 131 % 700, '\0');
    for (std::size_t k = 0; k < text.size(); ++k) text[k] = stream_byte(journal.end().offset + k);
    const bool is_behind = journal.end_log() - journal.durable_log() > kBlockSize;
    if (!is_behind && !journal.append(journal.end(), test_bytes(text))) ::_exit(1);
    while (const auto write = journal.next_write()) disk.submit(*write);
    std::array<DiskCompletion, kMaxWritesInFlight> completions;
    const std::size_t count = disk.reap(completions);
    for (std::size_t k = 0; k < count; ++k) journal.on_completion(completions[k]);
    if (journal.durable_log() == acked) {
      ::sched_yield();
      continue;
    }
    acked = journal.durable_log();
    const std::uint64_t offset = journal.durable().offset;
    if (::write(acks, &offset, sizeof offset) != sizeof offset) ::_exit(1);
  }
}

// kill -9 at any moment, with writes in flight: what was ACKed is found, and the ring's lock waits
// for the kernel to finish those writes.
TEST_F(JournalFileTest, KillAndReopen) {
  JournalFileOptions large = options();
  large.size_bytes = 16384 * kBlockSize;
  JournalFile::format(large);
  std::uint64_t expected = 0;
  for (int life = 0; life < 12; ++life) {
    std::array<int, 2> acks{};
    ASSERT_EQ(::pipe(acks.data()), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(acks[0]);
      write_until_killed(large, acks[1]);
    }
    ::close(acks[1]);
    std::uint64_t acked = 0;
    for (int i = 0; i < 5 + life * 3; ++i) {
      ASSERT_EQ(::read(acks[0], &acked, sizeof acked), static_cast<ssize_t>(sizeof acked))
          << "the writer died by itself";
    }
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    // What it still said before it died.
    while (::read(acks[0], &acked, sizeof acked) == static_cast<ssize_t>(sizeof acked)) {
    }
    ::close(acks[0]);
    JournalFile file(large);
    const Journal journal(file.image(), file.start());
    EXPECT_FALSE(file.recovered().damage.has_value());
    ASSERT_GE(journal.end().offset, acked);
    ASSERT_GE(journal.end().offset, expected);
    expected = journal.end().offset;
    std::string stream(expected, '\0');
    for (std::size_t i = 0; i < stream.size(); ++i) stream[i] = stream_byte(i);
    ASSERT_EQ(journal.digest(0, journal.end_log()), digest_bytes(0, 0, test_bytes(stream)));
  }
}

TEST_F(JournalFileTest, WaitWakesUpForACompletion) {
  JournalFile file = JournalFile::open_or_format(options());
  Journal journal(file.image(), file.start());
  journal.begin_at({1, 0});
  UringDisk disk(file.descriptor(), file.image());
  disk.attach();
  ASSERT_TRUE(journal.append({1, 0}, test_bytes("text")));
  disk.submit(*journal.next_write());
  disk.wait(20'000'000'000);  // a bound: far beyond any write
  std::array<DiskCompletion, 2> completions;
  ASSERT_EQ(disk.reap(completions), 1u);
  EXPECT_EQ(completions[0].result, static_cast<std::int32_t>(kBlockSize));
  EXPECT_EQ(disk.reap(completions), 0u);
  disk.wait(1'000'000);  // nothing in flight: comes back by the clock
}

TEST_F(JournalFileTest, ReportsWriteErrorsAsResults) {
  JournalFile file = JournalFile::open_or_format(options());
  // Opened for reading only: the kernel refuses the write itself.
  const FileDescriptor read_only(::open(folder_.file("journal").c_str(), O_RDONLY | O_CLOEXEC));
  UringDisk disk(read_only.get(), file.image());
  disk.attach();
  disk.submit({5, kBlockSize, 0, file.image().data()});
  disk.wait(20'000'000'000);
  std::array<DiskCompletion, 2> completions;
  ASSERT_EQ(disk.reap(completions), 1u);
  EXPECT_EQ(completions[0].id, 5u);
  EXPECT_EQ(completions[0].result, -EBADF);

  BufferedDisk buffered(read_only.get());
  buffered.submit({6, kBlockSize, 0, file.image().data()});
  ASSERT_EQ(buffered.reap(completions), 1u);
  EXPECT_EQ(completions[0].result, -EBADF);
}

TEST_F(JournalFileTest, RefusesASecondOpening) {
  const JournalFile file = JournalFile::open_or_format(options());
  EXPECT_NE(refusal(options()).find("in use by another process"), std::string::npos);
}

TEST_F(JournalFileTest, RefusesWhatDoesNotFit) {
  EXPECT_NE(refusal(options()).find("there is no journal"), std::string::npos);
  JournalFile::format(options());
  EXPECT_EQ(refusal(options()), "");
  JournalFileOptions larger = options();
  larger.size_bytes *= 2;
  EXPECT_NE(refusal(larger).find("a journal keeps its size"), std::string::npos);
  JournalFileOptions odd = options();
  odd.size_bytes += 1;
  EXPECT_NE(refusal(odd).find("not possible"), std::string::npos);
  std::filesystem::resize_file(folder_.file("journal"), kBlockSize);
  EXPECT_NE(refusal(options()).find("instead of"), std::string::npos);
  std::filesystem::remove(folder_.file("journal"));
  EXPECT_NE(refusal(options()).find("No such file"), std::string::npos);
}

TEST_F(JournalFileTest, RefusesARingWithoutItsSuperblock) {
  {
    JournalFile file = JournalFile::open_or_format(options(true));
    Journal journal(file.image(), file.start());
    journal.begin_at({1, 0});
    BufferedDisk disk(file.descriptor());
    ASSERT_TRUE(journal.append({1, 0}, test_bytes("text")));
    drain(journal, disk);
  }
  std::filesystem::remove(folder_.file("journal.meta"));
  EXPECT_NE(refusal(options()).find("is missing"), std::string::npos);
  EXPECT_THROW(JournalFile::open_or_format(options()), StartupError) << "it holds data";
}

TEST_F(JournalFileTest, FinishesAnInterruptedFormat) {
  std::ofstream(folder_.file("journal.new")) << "half a ring";
  { DurableRecord(folder_.file("journal.meta")); }
  EXPECT_EQ(JournalFile::open_or_format(options()).start().incarnation, 1u);
  // The ring under its name, no superblock yet: blank, so nothing is lost by starting over.
  std::filesystem::remove(folder_.file("journal.meta"));
  EXPECT_EQ(JournalFile::open_or_format(options()).start().incarnation, 1u);
}

TEST_F(JournalFileTest, RefusesAMemoryFileSystem) {
  struct statfs status {};
  if (::statfs("/dev/shm", &status) != 0 || status.f_type != 0x01021994) {
    GTEST_SKIP() << "/dev/shm is not a tmpfs here";
  }
  const std::string path = "/dev/shm/binlane-test-" + std::to_string(::getpid());
  try {
    JournalFile::format({path, kBlocks * kBlockSize, false});
    ADD_FAILURE() << "expected StartupError";
  } catch (const StartupError& error) {
    EXPECT_NE(std::string(error.what()).find("tmpfs"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("danger_buffered_journal"), std::string::npos);
  }
  std::filesystem::remove(path + ".new");
}

TEST_F(JournalFileTest, KeepsStreamPromiseAndDamage) {
  const StreamIdentity stream{Uuid::random(), 3, "binlog"};
  const Uuid candidate = Uuid::random();
  {
    JournalFile file = JournalFile::open_or_format(options());
    EXPECT_EQ(file.stream_mismatch(stream), "");
    EXPECT_EQ(file.set_stream(stream, {}), 0);
    EXPECT_EQ(file.store_promise({4, candidate}), std::nullopt);
    EXPECT_EQ(file.update([](JournalMeta& meta) { meta.damaged_until = {{1, 2}, {9, 99}}; }), 0);
  }
  JournalFile file(options());
  EXPECT_EQ(file.stream(), stream);
  EXPECT_EQ(file.stream_mismatch(stream), "");
  StreamIdentity other = stream;
  other.term = 4;
  EXPECT_NE(file.stream_mismatch(other).find("term 4"), std::string::npos);
  EXPECT_EQ(file.store_promise({4, candidate}), std::nullopt);
  EXPECT_TRUE(file.store_promise({4, Uuid::random()}).has_value());
  EXPECT_TRUE(file.store_promise({3, candidate}).has_value());
  EXPECT_EQ(file.store_promise({5, Uuid::random()}), std::nullopt);
  EXPECT_EQ(file.start().damaged_until, (LogMark{{1, 2}, {9, 99}}));
  EXPECT_EQ(file.clear_damage(), 0);
  EXPECT_TRUE(file.meta().damaged_until.is_null());
}

// A replica that is re-seeded serves no source that it had promised against before.
TEST_F(JournalFileTest, AJournalThatBeginsAnewKeepsThePromise) {
  const Promise promise{4, Uuid::random()};
  EXPECT_EQ(JournalFile::open_or_format(options()).store_promise(promise), std::nullopt);
  const Uuid before = JournalFile(options()).meta().journal;
  std::filesystem::remove(options().path);
  std::filesystem::remove(options().path + ".meta");
  JournalFile file = JournalFile::open_or_format(options());
  EXPECT_NE(file.meta().journal, before);
  EXPECT_EQ(file.promise(), promise);
  EXPECT_TRUE(file.store_promise({3, promise.candidate}).has_value());
}

// A ring that was cut off, at any sector, at any byte of a block, and at every block's edges: it is
// never opened, so none of its content is taken for not written.
TEST_F(JournalFileTest, EveryTruncationIsRefused) {
  JournalFile::format(options(true));
  const std::string path = folder_.file("journal");
  const std::uint64_t whole = options(true).size_bytes;
  std::set<std::uint64_t> lengths;
  for (std::uint64_t length = 0; length < whole; length += kSectorSize) lengths.insert(length);
  for (std::uint64_t edge = kBlockSize; edge <= whole; edge += kBlockSize) {
    lengths.insert({edge - 1, edge + 1});
  }
  for (std::uint64_t length = whole - kBlockSize; length < whole; ++length) lengths.insert(length);
  for (const std::uint64_t length : lengths) {
    std::filesystem::resize_file(path, length);
    try {
      const JournalFile file(options(true));
      FAIL() << "opened with " << length << " of " << whole << " bytes";
    } catch (const StartupError& error) {
      const std::string expected = "has " + std::to_string(length) + " bytes instead of";
      ASSERT_NE(std::string(error.what()).find(expected), std::string::npos) << error.what();
    }
  }
  std::filesystem::resize_file(path, whole);
  EXPECT_NO_THROW(JournalFile file(options(true)));
}

TEST_F(JournalFileTest, KeepsRulesOnceAndTheNewestLast) {
  JournalFile file = JournalFile::open_or_format(options());
  for (const char* rule : {"a", "b", "a"}) EXPECT_EQ(file.store_rule(rule), 0);
  EXPECT_EQ(file.meta().rules, (std::vector<std::string>{"b", "a"}));
  for (const char* rule : {"c", "d", "e"}) EXPECT_EQ(file.store_rule(rule), 0);
  EXPECT_EQ(file.meta().rules, (std::vector<std::string>{"a", "c", "d", "e"}));
  // It covers what all the others did.
  EXPECT_EQ(file.store_rule("e", true), 0);
  EXPECT_EQ(file.meta().rules, (std::vector<std::string>{"e"}));
}

// S2: the journal keeps its UUID, its promise and the numbers of its blocks, and begins anew.
TEST_F(JournalFileTest, GoesOverToAnotherStream) {
  const StreamIdentity first{Uuid::random(), 1, "binlog"};
  const StreamIdentity second{Uuid::random(), 2, "mysql-bin"};
  Uuid journal_id;
  {
    JournalFile file = JournalFile::open_or_format(options(true));
    journal_id = file.meta().journal;
    ASSERT_EQ(file.set_stream(first, {{1, 1}, {1, 50}}), 0);
    ASSERT_EQ(file.store_rule("ANY 1 (a)"), 0);
    ASSERT_EQ(file.store_promise({2, second.origin}), std::nullopt);
    auto journal = std::make_unique<Journal>(file.image(), file.start());
    BufferedDisk disk(file.descriptor());
    journal->begin_at({7, 0});
    ASSERT_TRUE(journal->start_epoch({1, 1}));
    ASSERT_TRUE(journal->append(journal->end(), test_bytes("of the first stream")));
    drain(*journal, disk);
    const std::size_t slot = journal->last_sequence() % journal->block_count();
    const Block& last = *reinterpret_cast<const Block*>(file.image().data() + slot * kBlockSize);
    const JournalConsumed consumed{
        journal->last_sequence(), last.integrity.crc, last.incarnation,
        journal->end(),           last.epoch(),       journal->data_epoch()};
    ASSERT_EQ(file.switch_stream(second, {7, 19}, consumed), 0);
    // In the same opening …
    journal = std::make_unique<Journal>(file.image(), file.start());
    EXPECT_TRUE(journal->end().is_null());
    EXPECT_EQ(journal->epoch(), (Epoch{1, 1}));
    EXPECT_EQ(journal->last_sequence(), consumed.sequence);
    journal->begin_at({3, 0});
    ASSERT_TRUE(journal->start_epoch({2, 1}));
    ASSERT_TRUE(journal->append({3, 0}, test_bytes("second")));
    drain(*journal, disk);
  }
  {
    // … and in the next.
    JournalFile file(options(true));
    const JournalMeta meta = file.meta();
    EXPECT_EQ(meta.journal, journal_id);
    EXPECT_EQ(meta.stream, second);
    EXPECT_EQ(meta.promise, (Promise{2, second.origin}));
    EXPECT_TRUE(meta.rules.empty());
    EXPECT_TRUE(meta.learner_until.is_null());
    EXPECT_TRUE(meta.own_folder);
    ASSERT_EQ(meta.sealed.size(), 1U);
    EXPECT_EQ(meta.sealed[0], (SealedStream{first, {7, 19}, false}));
    EXPECT_EQ(file.start().archived, (Position{3, 0}));
    EXPECT_EQ(file.start().end, (Position{3, 6}));
    EXPECT_EQ(file.start().epoch, (Epoch{2, 1}));
    EXPECT_FALSE(file.recovered().damage.has_value());
  }
}

// Killed right after the superblock's store: nothing of the new stream exists yet.
TEST_F(JournalFileTest, IsBlankRightAfterGoingOver) {
  const StreamIdentity second{Uuid::random(), 2, "binlog"};
  {
    JournalFile file = JournalFile::open_or_format(options(true));
    ASSERT_EQ(file.set_stream({Uuid::random(), 1, "binlog"}, {}), 0);
    Journal journal(file.image(), file.start());
    BufferedDisk disk(file.descriptor());
    journal.begin_at({1, 0});
    ASSERT_TRUE(journal.append({1, 0}, test_bytes("text")));
    drain(journal, disk);
    const Block& last = *reinterpret_cast<const Block*>(file.image().data() + kBlockSize);
    ASSERT_EQ(last.sequence, journal.last_sequence());
    ASSERT_EQ(file.switch_stream(second, {1, 4},
                                 {1, last.integrity.crc, last.incarnation, {1, 4}, {}, {}}),
              0);
  }
  JournalFile file(options(true));
  EXPECT_EQ(file.stream(), second);
  EXPECT_TRUE(file.start().end.is_null());
  EXPECT_FALSE(file.recovered().damage.has_value());
  Journal journal(file.image(), file.start());
  BufferedDisk disk(file.descriptor());
  journal.begin_at({9, 0});
  ASSERT_TRUE(journal.append({9, 0}, test_bytes("new")));
  drain(journal, disk);
  EXPECT_EQ(journal.durable(), (Position{9, 3}));
}

TEST_F(JournalFileTest, ReportsDamageAndRemembersIt) {
  {
    JournalFile file = JournalFile::open_or_format(options(true));
    Journal journal(file.image(), file.start());
    journal.begin_at({1, 0});
    BufferedDisk disk(file.descriptor());
    for (int i = 0; i < 4; ++i) {
      ASSERT_TRUE(journal.append(journal.end(), test_bytes("text")));
      drain(journal, disk);
    }
  }
  flip_byte(folder_.file("journal"), 2 * kBlockSize + 1000);
  {
    const JournalFile file(options(true));
    ASSERT_TRUE(file.recovered().damage.has_value());
    EXPECT_EQ(file.start().end, (Position{1, 4}));
    EXPECT_EQ(file.start().damaged_until.position, (Position{1, 16}));
  }
  const JournalFile file(options(true));
  EXPECT_EQ(file.start().damaged_until.position, (Position{1, 16}));
}

TEST(JournalMetaTest, SurvivesEncoding) {
  JournalMeta meta;
  meta.journal = Uuid::random();
  meta.stream = {Uuid::random(), 7, std::string(kMaxBasenameLength, 'b')};
  meta.block_count = 16384;
  meta.incarnation = 3;
  meta.archived = {11, 22, 33, {44, 55}, {66, 77}, {88, 99}};
  meta.durable_sequence = 123;
  meta.durable = {{1, 2}, {3, 4}};
  meta.released = {5, 6};
  meta.promise = {8, Uuid::random()};
  meta.damaged_until = {{9, 10}, {11, 12}};
  meta.learner_until = {{13, 14}, {15, 16}};
  meta.forgotten_term = 6;
  meta.own_folder = true;
  meta.rules.assign(kMaxRulesOnRecord, std::string(kMaxRuleLength, 'r'));
  for (std::uint32_t i = 0; i < kMaxSealedStreams; ++i)
    meta.sealed.push_back(
        {{Uuid::random(), i, std::string(kMaxBasenameLength, 's')}, {i + 1, 7}, i % 2 == 0});
  const std::vector<std::byte> bytes = encode_journal_meta(meta);
  std::string error;
  const auto decoded = decode_journal_meta(bytes, error);
  ASSERT_TRUE(decoded.has_value()) << error;
  EXPECT_EQ(encode_journal_meta(*decoded), bytes);
  EXPECT_EQ(decoded->stream, meta.stream);
  EXPECT_EQ(decoded->promise, meta.promise);
  EXPECT_EQ(decoded->archived.data_epoch, meta.archived.data_epoch);
  EXPECT_EQ(decoded->archived.incarnation, 33u);
  EXPECT_EQ(decoded->damaged_until, meta.damaged_until);
  EXPECT_EQ(decoded->learner_until, meta.learner_until);
  EXPECT_EQ(decoded->rules, meta.rules);
  EXPECT_EQ(decoded->sealed, meta.sealed);
  EXPECT_EQ(decoded->forgotten_term, meta.forgotten_term);
  EXPECT_TRUE(decoded->own_folder);
  // Every prefix and every changed length is refused, not read beyond.
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_journal_meta(ConstBytes(bytes).first(size), error).has_value());
  }
  std::vector<std::byte> other_version = bytes;
  other_version[8] = std::byte{kJournalFormatVersion + 1};
  EXPECT_FALSE(decode_journal_meta(other_version, error).has_value());
  EXPECT_NE(error.find(fmt::format("format version {}", kJournalFormatVersion + 1)),
            std::string::npos);
}

// With a right checksum around it: a fault of the program, and not to be counted on from.
TEST(JournalMetaTest, RefusesNumbersThatWouldWrap) {
  const auto refusal = [](auto change) {
    JournalMeta meta;
    change(meta);
    std::string error;
    return decode_journal_meta(encode_journal_meta(meta), error) ? std::string() : error;
  };
  EXPECT_EQ(refusal([](JournalMeta&) {}), "");
  EXPECT_NE(
      refusal([](JournalMeta& m) { m.archived.sequence = UINT64_MAX; }).find("impossibly large"),
      std::string::npos);
  EXPECT_NE(
      refusal([](JournalMeta& m) { m.durable_sequence = UINT64_MAX; }).find("impossibly large"),
      std::string::npos);
  EXPECT_NE(refusal([](JournalMeta& m) { m.incarnation = UINT32_MAX; }).find("impossibly large"),
            std::string::npos);
}

}  // namespace
}  // namespace binlane
