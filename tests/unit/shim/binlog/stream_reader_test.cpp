#include "shim/binlog/stream_reader.h"

#include <gtest/gtest.h>

#include <random>

#include "shim/binlog/stream_digester.h"
#include "support/fake_binlog_files.h"

namespace binlane {
namespace {

using test::BinlogWriter;
using test::Bytes;
using test::FakeBinlogFiles;

constexpr std::size_t kSmallWindow = std::size_t{1} << 17;

// A stream that a random server writes, and what every linear mark must read as.
class RandomServer {
 public:
  explicit RandomServer(FakeBinlogFiles& files, std::uint64_t seed) : files_(files), random_(seed) {
    begin_file();
  }

  // Writes some bytes, perhaps a part of an event, perhaps a rotation.
  void write() {
    if (pending_.empty()) {
      const auto kind = random_() % 10;
      if (kind == 0) {
        writer_.rotate(binlog_file_name("binlog", number_ + 1));
        append(writer_.take());
        stream_.push_back(std::byte{0});  // the file's end
        ends_.push_back(stream_.size() - 1);
        ++number_;
        begin_file();
        return;
      }
      const std::size_t size = kind == 1 ? random_() % 150'000 : random_() % 3000;
      writer_.gtid(++sequence_);
      writer_.rows(size, static_cast<char>(random_()));
      writer_.xid();
      pending_ = writer_.take();
    }
    const std::size_t size = 1 + random_() % pending_.size();
    append(Bytes(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(size)));
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(size));
  }

  const Bytes& stream() const { return stream_; }
  bool is_file_end(std::uint64_t linear) const { return std::ranges::binary_search(ends_, linear); }
  std::uint32_t number() const { return number_; }

 private:
  void begin_file() {
    writer_ = BinlogWriter();
    std::vector<GtidEntry> gtids;
    if (sequence_ > 0) gtids.push_back({0, BinlogWriter::kServerId, sequence_});
    writer_.begin(gtids);
    append(writer_.take());
  }
  void append(const Bytes& bytes) {
    files_.append(number_, bytes);
    stream_.insert(stream_.end(), bytes.begin(), bytes.end());
  }

  FakeBinlogFiles& files_;
  std::mt19937_64 random_;
  std::uint32_t number_ = 999'998;
  std::uint64_t sequence_ = 0;
  BinlogWriter writer_;
  Bytes pending_;
  Bytes stream_;
  std::vector<std::uint64_t> ends_;
};

// Reads on from `linear` as far as the stream goes and compares; returns where it came to.
std::uint64_t read_and_compare(StreamReader<FakeBinlogFiles>& reader, const RandomServer& server,
                               std::uint64_t linear, std::uint64_t written,
                               std::mt19937_64& random) {
  std::byte buffer[5000];
  while (linear < written) {
    StreamSlice slice;
    const std::size_t size = 1 + random() % sizeof buffer;
    EXPECT_EQ(reader.read(linear, {buffer, size}, slice), 0);
    EXPECT_EQ(slice.file_end, server.is_file_end(linear));
    EXPECT_GT(slice.length, 0U);
    if (slice.file_end)
      EXPECT_EQ(slice.at, (Position{slice.end.file, slice.end.final_size}));
    else
      EXPECT_EQ(0, std::memcmp(buffer, server.stream().data() + linear, slice.byte_count()));
    if (::testing::Test::HasFailure()) return linear;
    linear += slice.length;
  }
  EXPECT_EQ(linear, written);
  StreamSlice slice;
  EXPECT_EQ(reader.read(written, buffer, slice), 0);
  // Right behind a written file's end nothing is known; never a byte that was not written.
  EXPECT_EQ(slice.length, 0U);
  return linear;
}

TEST(StreamReader, ReadsBackWhatRandomServersWrite) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    FakeBinlogFiles files;
    RandomServer server(files, seed);
    std::mt19937_64 random(seed);
    StreamStart found;
    ASSERT_TRUE(scan_stream(files, server.number(), server.number(), found).ok());
    Tailer<FakeBinlogFiles> tailer(files, kSmallWindow);
    std::uint64_t now_ns = kNanosPerSecond;
    ASSERT_EQ(tailer.start(found, now_ns), 0);
    StreamReader<FakeBinlogFiles> reader(files, tailer);
    std::uint64_t live = 0;    // a sender that keeps up
    std::uint64_t behind = 0;  // one that now and then catches up
    for (int turn = 0; turn < 1000; ++turn) {
      for (auto writes = random() % 4; writes > 0; --writes) server.write();
      files.max_read = random() % 3 == 0 ? 1 + random() % 1000 : SIZE_MAX;
      for (auto polls = random() % 6; polls > 0; --polls) {
        now_ns += kNanosPerMilli;
        const TailEvent event = tailer.poll(now_ns);
        ASSERT_FALSE(stops_tailer(event)) << static_cast<int>(event) << " " << tailer.error();
      }
      ASSERT_LE(tailer.written(), server.stream().size());
      live = read_and_compare(reader, server, live, tailer.written(), random);
      if (random() % 100 == 0)
        behind = read_and_compare(reader, server, behind, tailer.written(), random);
      if (HasFailure()) return;
    }
    // The server rests: the tailer comes to its end.
    for (int turn = 0; turn < 10'000 && tailer.written() < server.stream().size(); ++turn) {
      now_ns += kNanosPerMilli;
      tailer.poll(now_ns);
    }
    ASSERT_EQ(tailer.written(), server.stream().size());
    read_and_compare(reader, server, behind, tailer.written(), random);
    EXPECT_GT(tailer.counters().files_ended, 5U);
    EXPECT_GT(reader.counters().window_bytes, reader.counters().file_bytes / 4);
    EXPECT_GT(reader.counters().file_bytes, 0U);
    EXPECT_LE(files.open_count(), StreamReader<FakeBinlogFiles>::kMaxOpenFiles + 1);

    // Any part's digest is the one of the bytes that were written.
    StreamDigester digester(files, tailer.map());
    for (int round = 0; round < 3; ++round) {
      std::uint64_t from = random() % (tailer.written() + 1);
      std::uint64_t to = random() % (tailer.written() + 1);
      if (from > to) std::swap(from, to);
      std::uint32_t crc = 0;
      for (std::uint64_t at = from; at < to; ++at) {
        const Position position = *tailer.map().position_of(at);
        crc = server.is_file_end(at)
                  ? digest_file_end(crc)
                  : digest_bytes(crc, position.offset, ConstBytes(server.stream()).subspan(at, 1));
      }
      ASSERT_EQ(digester.digest_range(from, to), crc);
    }
    EXPECT_EQ(digester.digest_range(0, tailer.written() + 1), std::nullopt);
    tailer.stop();
    reader.reset();
    EXPECT_EQ(files.open_count(), 0U);
  }
}

class StreamReaderFaults : public ::testing::Test {
 protected:
  void SetUp() override {
    for (std::uint32_t number = 1; number <= kFiles; ++number) {
      BinlogWriter writer;
      writer.begin({});
      writer.query("CREATE TABLE t" + std::to_string(number));
      if (number < kFiles) writer.rotate(binlog_file_name("binlog", number + 1));
      files_.append(number, writer.take());
    }
    StreamStart found;
    ASSERT_TRUE(scan_stream(files_, 1, kFiles, found).ok());
    ASSERT_EQ(tailer_.start(found, 0), 0);
  }
  std::uint64_t begin_of(std::uint32_t number) { return *tailer_.map().linear_of({number, 0}); }

  static constexpr std::uint32_t kFiles = 20;
  FakeBinlogFiles files_;
  Tailer<FakeBinlogFiles> tailer_{files_};
  StreamReader<FakeBinlogFiles> reader_{files_, tailer_};
  StreamSlice slice_;
  std::byte buffer_[64];
};

TEST_F(StreamReaderFaults, PurgedFile) {
  files_.remove(1);
  EXPECT_EQ(reader_.read(0, buffer_, slice_), ENOENT);
  EXPECT_EQ(reader_.read(begin_of(2), buffer_, slice_), 0);
  // An open file is read on though its name is gone.
  files_.remove(2);
  EXPECT_EQ(reader_.read(begin_of(2) + 64, buffer_, slice_), 0);
  EXPECT_EQ(slice_.length, 64U);
  EXPECT_FALSE(tailer_.drop_purged(10));
  EXPECT_EQ(reader_.read(begin_of(3) - 1, buffer_, slice_), ENOENT);
  EXPECT_EQ(reader_.counters().failures, 2U);
  StreamDigester digester(files_, tailer_.map());
  EXPECT_EQ(digester.digest_range(0, tailer_.written()), std::nullopt);
  EXPECT_TRUE(digester.digest_range(begin_of(3), tailer_.written()));
}

TEST_F(StreamReaderFaults, ShorterFileThanItWas) {
  files_.truncate(3, 10);
  EXPECT_EQ(reader_.read(begin_of(3) + 20, buffer_, slice_), ENODATA);
  EXPECT_EQ(slice_.length, 0U);
  files_.read_error = EIO;
  EXPECT_EQ(reader_.read(begin_of(4), buffer_, slice_), EIO);
}

// After a RESET the same name is another file.
TEST_F(StreamReaderFaults, NothingThatWasReadAheadOutlivesAReset) {
  const std::span<std::byte> part(buffer_, 16);
  ASSERT_EQ(reader_.read(begin_of(5), part, slice_), 0);
  ASSERT_EQ(reader_.read(begin_of(5) + 16, part, slice_), 0);
  files_.data(5)[32] ^= std::byte{1};
  ASSERT_EQ(reader_.read(begin_of(5) + 32, part, slice_), 0);
  EXPECT_NE(part[0], files_.data(5)[32]) << "it was not read ahead, so this test shows nothing";
  reader_.reset();
  ASSERT_EQ(reader_.read(begin_of(5) + 32, part, slice_), 0);
  EXPECT_EQ(part[0], files_.data(5)[32]);
}

TEST_F(StreamReaderFaults, FewFilesAreOpenAndTheLatestUsedStay) {
  constexpr auto kOpen = static_cast<std::uint32_t>(StreamReader<FakeBinlogFiles>::kMaxOpenFiles);
  for (std::uint32_t number = 1; number < kFiles; ++number) {
    ASSERT_EQ(reader_.read(begin_of(1), buffer_, slice_), 0);
    ASSERT_EQ(reader_.read(begin_of(number), buffer_, slice_), 0);
    ASSERT_LE(files_.open_count(), kOpen + 1);
  }
  EXPECT_EQ(reader_.counters().files_opened, kFiles - 1);
  // Reading on in a file that is open opens nothing.
  EXPECT_EQ(reader_.read(begin_of(kFiles - 1) + 5, buffer_, slice_), 0);
  EXPECT_EQ(reader_.counters().files_opened, kFiles - 1);
  reader_.reset();
  EXPECT_EQ(files_.open_count(), 1U);
}

TEST(StreamDigest, TheInUseFlagIsMasked) {
  FakeBinlogFiles files;
  BinlogWriter writer;
  writer.begin({});
  files.append(1, writer.take());
  StreamMap map;
  map.begin(1);
  StreamDigester digester(files, map);
  const auto before = digester.digest_range(0, writer.size());
  ASSERT_TRUE(before);
  files.data(1)[kInUseOffset] ^= kInUseBit;
  EXPECT_EQ(digester.digest_range(0, writer.size()), before);
  files.data(1)[kInUseOffset] ^= std::byte{2};
  EXPECT_NE(digester.digest_range(0, writer.size()), before);
}

}  // namespace
}  // namespace binlane
