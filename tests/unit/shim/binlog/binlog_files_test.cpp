// The tailer and the reader over real files, and what only real files can show.
#include "shim/binlog/binlog_files.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "base/error.h"
#include "base/position.h"
#include "shim/binlog/binlog_index.h"
#include "shim/binlog/binlog_paths.h"
#include "shim/binlog/stream_digester.h"
#include "shim/binlog/stream_reader.h"
#include "shim/binlog/tailer.h"
#include "support/allocation_counter.h"
#include "support/binlog_writer.h"

namespace {

// Inodes of the files that were really synced.
std::set<ino_t>& synced_inodes() {
  static std::set<ino_t> inodes;
  return inodes;
}

}  // namespace

// Replaces the C library's function: a file's contents do not show whether anybody synced it.
extern "C" int fdatasync(int descriptor) {
  struct stat status {};
  if (::fstat(descriptor, &status) == 0) synced_inodes().insert(status.st_ino);
  return static_cast<int>(::syscall(SYS_fdatasync, descriptor));
}

namespace binlane {
namespace {

using test::allocation_count;
using test::BinlogWriter;
using test::Bytes;

class BinlogFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = std::filesystem::temp_directory_path() / "binlane-files-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string path_of(std::uint32_t number) const {
    return directory_ + "/" + binlog_file_name("binlog", number);
  }
  void append(std::uint32_t number, const Bytes& bytes) const {
    std::ofstream file(path_of(number), std::ios::binary | std::ios::app);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    ASSERT_TRUE(file.good());
  }
  std::string write_index(const std::string& text) const {
    const std::string path = directory_ + "/binlog.index";
    std::ofstream(path) << text;
    return path;
  }

  std::string directory_;
};

TEST_F(BinlogFilesTest, NamesNumbersLikeTheServers) {
  const PosixBinlogFiles files(directory_, "binlog");
  append(7, Bytes(10));
  append(1'000'000, Bytes(20));
  for (const auto& [number, size] : {std::pair{7U, 10}, std::pair{1'000'000U, 20}}) {
    const int handle = files.open(number);
    ASSERT_GE(handle, 0);
    EXPECT_EQ(files.size(handle), size);
    EXPECT_FALSE(files.replaced(handle, number));
    EXPECT_EQ(files.name_size(number), binlog_file_name("binlog", number).size());
    files.close(handle);
  }
  EXPECT_EQ(files.open(8), -ENOENT);
  EXPECT_EQ(files.name_size(4'294'967'295U), binlog_file_name("binlog", 4'294'967'295U).size());
}

TEST_F(BinlogFilesTest, ANameThatIsNoneOpensNothing) {
  EXPECT_EQ(PosixBinlogFiles(directory_, "").open(1), -EINVAL);
  EXPECT_EQ(PosixBinlogFiles(directory_, "a/b").open(1), -EINVAL);
  EXPECT_EQ(PosixBinlogFiles(std::string(5000, 'd'), "binlog").open(1), -ENAMETOOLONG);
}

TEST_F(BinlogFilesTest, SeesRemovalAndReplacement) {
  const PosixBinlogFiles files(directory_, "binlog");
  append(1, Bytes(10));
  const int handle = files.open(1);
  ASSERT_GE(handle, 0);
  std::filesystem::rename(path_of(1), path_of(2));
  EXPECT_TRUE(files.replaced(handle, 1));
  append(1, Bytes(10));
  EXPECT_TRUE(files.replaced(handle, 1));
  std::filesystem::remove(path_of(2));
  EXPECT_TRUE(files.replaced(handle, 1));
  EXPECT_EQ(files.size(handle), 10);  // still exists for a process that has it open
  files.close(handle);
}

TEST_F(BinlogFilesTest, SyncsWhatIsThere) {
  const PosixBinlogFiles files(directory_, "binlog");
  append(2, Bytes(10));
  append(3, Bytes(10));
  synced_inodes().clear();
  EXPECT_EQ(sync_files(files, 2, 3).error, 0);
  for (const std::uint32_t number : {2U, 3U}) {
    struct stat status {};
    ASSERT_EQ(::stat(path_of(number).c_str(), &status), 0);
    EXPECT_EQ(synced_inodes().count(status.st_ino), 1U) << number;
  }
  EXPECT_EQ(sync_files(files, 1, 3).error, 0);  // 1 was purged
  const SyncResult missing = sync_files(files, 2, 4);
  EXPECT_EQ(missing.error, ENOENT);
  EXPECT_EQ(missing.file, 4U);
}

// Behind a Rotate the stream ends before the first byte of a file that the server has yet to make.
TEST_F(BinlogFilesTest, NothingOfAFileIsNeededBeforeItsFirstByte) {
  const PosixBinlogFiles files(directory_, "binlog");
  append(2, Bytes(10));
  EXPECT_EQ(sync_up_to(files, 2, {3, 0}).error, 0);
  EXPECT_EQ(sync_up_to(files, 3, {3, 0}).error, 0);
  EXPECT_EQ(sync_up_to(files, 2, {3, 1}).error, ENOENT);
  append(3, Bytes(10));
  struct stat status {};
  ASSERT_EQ(::stat(path_of(3).c_str(), &status), 0);
  synced_inodes().clear();
  EXPECT_EQ(sync_up_to(files, 2, {3, 1}).error, 0);
  EXPECT_EQ(synced_inodes().count(status.st_ino), 1U);
}

TEST_F(BinlogFilesTest, ReadsTheIndex) {
  const auto read = [&](const std::string& text,
                        const std::string& base = "/var/lib/mysql/binlog") {
    return read_binlog_index(write_index(text), base);
  };
  const BinlogIndex plain = read("./binlog.000009\n./binlog.000010\n");
  EXPECT_EQ(plain.error, "");
  EXPECT_EQ(plain.directory, "/var/lib/mysql");
  EXPECT_EQ(plain.basename, "binlog");
  EXPECT_EQ(plain.first, 9U);
  EXPECT_EQ(plain.last, 10U);
  const BinlogIndex absolute =
      read("/log/a.b.999999\n/log/a.b.1000000\n/log/a.b.10000", "/log/a.b");
  EXPECT_EQ(absolute.error, "");
  EXPECT_EQ(absolute.directory, "/log");
  EXPECT_EQ(absolute.basename, "a.b");
  EXPECT_EQ(absolute.last, 1'000'000U);  // the last line is not finished
  // What an editor leaves, and what the server writes twice.
  const BinlogIndex edited = read("\n./binlog.000001\r\n\n./binlog.000002\n./binlog.000002\n \n");
  EXPECT_EQ(edited.error, "");
  EXPECT_EQ(edited.first, 1U);
  EXPECT_EQ(edited.last, 2U);
  // A line was taken out: the stream is what follows.
  const BinlogIndex gap = read("binlog.000001\nbinlog.000003\nbinlog.000004\n");
  EXPECT_EQ(gap.error, "");
  EXPECT_EQ(gap.first, 3U);
  EXPECT_EQ(gap.last, 4U);

  EXPECT_NE(read("").error, "");
  EXPECT_NE(read("binlog.000002\nbinlog.000001\n").error.find("follows number"), std::string::npos);
  EXPECT_NE(read("binlog.000001\nother.000002\n").error.find("is not one of"), std::string::npos);
  EXPECT_NE(read("a/binlog.000001\nb/binlog.000002\n", "/d/a/binlog").error, "");
  EXPECT_NE(read("binlog.000001\nrubbish\n").error.find("rubbish"), std::string::npos);
  EXPECT_NE(read_binlog_index(directory_ + "/none", "/binlog").error.find("cannot open"),
            std::string::npos);
  EXPECT_NE(read_binlog_index(directory_, "/binlog").error, "");
}

// log_bin=binlogs/mysql-bin: the server shows its names, and writes its index, relative to datadir.
TEST_F(BinlogFilesTest, NamesMayBeRelativeToTheDataFolder) {
  EXPECT_EQ(resolve_server_path("binlogs/mysql-bin", "/d/"), "/d/binlogs/mysql-bin");
  EXPECT_EQ(resolve_server_path("./binlogs/mysql-bin", "/d"), "/d/binlogs/mysql-bin");
  EXPECT_EQ(resolve_server_path("/log/mysql-bin", "/d/"), "/log/mysql-bin");
  EXPECT_EQ(resolve_server_path("../log/mysql-bin", "/d/"), "/log/mysql-bin");
  EXPECT_EQ(resolve_server_path("binlog", "/d//"), "/d/binlog");
  EXPECT_EQ(resolve_server_path("", "/d/"), "");
  EXPECT_EQ(folder_of_path("/d/binlog"), "/d");
  EXPECT_EQ(folder_of_path("/binlog"), "/");
  EXPECT_EQ(folder_of_path("binlog"), ".");

  const std::string base = resolve_server_path("binlogs/mysql-bin", "/d/");
  for (const char* line :
       {"binlogs/mysql-bin.000001", "./binlogs/mysql-bin.000001", "/d/binlogs/mysql-bin.000001",
        "/d/./binlogs//mysql-bin.000001", "mysql-bin.000001", "./mysql-bin.000001"})
    EXPECT_TRUE(is_binlog_of(line, base)) << line;
  for (const char* line : {"binlogs/other.000001", "logs/mysql-bin.000001",
                           "/e/binlogs/mysql-bin.000001", "d/d/binlogs/mysql-bin.000001"})
    EXPECT_FALSE(is_binlog_of(line, base)) << line;
  const BinlogIndex index = read_binlog_index(write_index("./binlogs/mysql-bin.000003\n"), base);
  EXPECT_EQ(index.error, "");
  EXPECT_EQ(index.directory, "/d/binlogs");
  EXPECT_EQ(index.basename, "mysql-bin");
}

TEST_F(BinlogFilesTest, ADataFolderMayHaveTwoNames) {
  const std::string link = directory_ + ".link";
  std::filesystem::create_directory_symlink(directory_, link);
  append(1, Bytes(10));
  EXPECT_TRUE(is_binlog_of(directory_ + "/binlog.000001", link + "/binlog"));
  const BinlogIndex index =
      read_binlog_index(write_index(directory_ + "/binlog.000001\n"), link + "/binlog");
  EXPECT_EQ(index.error, "");
  EXPECT_EQ(index.directory, link);
  std::filesystem::remove(link);
}

// Removed with rm instead of PURGE BINARY LOGS.
TEST_F(BinlogFilesTest, TheStreamBeginsWithTheOldestFileThatIsThere) {
  const BinlogIndex index = read_binlog_index(
      write_index("./binlog.000001\n./binlog.000002\n./binlog.000003\n./binlog.000004\n"),
      directory_ + "/binlog");
  ASSERT_EQ(index.error, "");
  EXPECT_EQ(oldest_present(index), 4U);  // which is missing as well
  for (const std::uint32_t number : {1U, 3U, 4U}) append(number, Bytes(10));
  EXPECT_EQ(oldest_present(index), 3U);
  append(2, Bytes(10));
  EXPECT_EQ(oldest_present(index), 1U);
}

// One server's life on real files; neither the tailer nor the reader allocates.
TEST_F(BinlogFilesTest, TailsRealFilesWithoutAllocation) {
  BinlogWriter writer;
  writer.begin({});
  append(1, writer.take());
  PosixBinlogFiles files(directory_, "binlog");
  StreamStart found;
  ASSERT_TRUE(scan_stream(files, 1, 1, found).ok());
  Tailer<PosixBinlogFiles> tailer(files);
  StreamReader<PosixBinlogFiles> reader(files, tailer);
  std::uint64_t now_ns = 0;
  ASSERT_EQ(tailer.start(found, now_ns), 0);

  Bytes written = writer.bytes();
  std::uint64_t sequence = 0;
  std::uint64_t linear = 0;
  std::uint64_t compared = 0;
  Bytes buffer(8192);
  for (std::uint32_t number = 1; number <= 30; ++number) {
    for (int group = 0; group < 5; ++group)
      writer.transaction(++sequence, 40'000 * static_cast<std::size_t>(group % 2) + 50);
    writer.rotate(binlog_file_name("binlog", number + 1));
    Bytes added = writer.take();
    append(number, added);
    written.insert(written.end(), added.begin(), added.end());
    written.push_back(std::byte{0});
    writer = BinlogWriter();
    writer.begin({{0, BinlogWriter::kServerId, sequence}});
    added = writer.take();
    append(number + 1, added);
    written.insert(written.end(), added.begin(), added.end());

    const std::uint64_t allocations = allocation_count();
    for (int turn = 0; turn < 100 && tailer.written() < written.size(); ++turn) {
      now_ns += kNanosPerMilli;
      if (stops_tailer(tailer.poll(now_ns))) break;
    }
    // Live, and every now and then a late reader.
    if (number % 10 == 0) linear = 0;
    bool same = true;
    while (linear < tailer.written()) {
      StreamSlice slice;
      if (reader.read(linear, buffer, slice) != 0) break;
      same = same && std::memcmp(buffer.data(), written.data() + linear, slice.byte_count()) == 0;
      linear += slice.length;
      compared += slice.byte_count();
    }
    EXPECT_EQ(allocation_count(), allocations);
    EXPECT_TRUE(same);
    ASSERT_EQ(tailer.written(), written.size());
    ASSERT_EQ(linear, written.size());
  }
  EXPECT_GT(compared, 2 * written.size());
  // The server clears the flag in place; the digest does not see it.
  StreamDigester digester(files, tailer.map());
  const auto digest = digester.digest_range(0, tailer.written());
  std::fstream file(path_of(1), std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(kInUseOffset);
  file.put('\0');
  file.close();
  EXPECT_TRUE(digest);
  EXPECT_EQ(digester.digest_range(0, tailer.written()), digest);
  EXPECT_EQ(count_groups(files, {1, 0}, tailer.written_position()), sequence);

  std::filesystem::resize_file(path_of(31), 100);
  TailEvent event = TailEvent::none;
  for (int turn = 0; turn < 10 && event == TailEvent::none; ++turn)
    event = tailer.poll(now_ns += Tailer<PosixBinlogFiles>::kIdleProbe_ns);
  EXPECT_EQ(event, TailEvent::shrunk);
}

TEST_F(BinlogFilesTest, ResetOnRealFiles) {
  BinlogWriter writer;
  writer.begin({});
  append(1, writer.bytes());
  PosixBinlogFiles files(directory_, "binlog");
  StreamStart found;
  ASSERT_TRUE(scan_stream(files, 1, 1, found).ok());
  Tailer<PosixBinlogFiles> tailer(files);
  ASSERT_EQ(tailer.start(found, 0), 0);
  std::filesystem::remove(path_of(1));
  append(1, writer.bytes());
  EXPECT_EQ(tailer.poll(Tailer<PosixBinlogFiles>::kIdleProbe_ns), TailEvent::reset);
}

}  // namespace
}  // namespace binlane
