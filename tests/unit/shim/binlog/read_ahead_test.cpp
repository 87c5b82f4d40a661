#include "shim/binlog/read_ahead.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace binlane {
namespace {

constexpr std::size_t kFrame = 1000;

class ReadAheadTest : public testing::Test {
 protected:
  ReadAheadTest() : file_(20 * ReadAhead::kPieceSize) {
    for (std::size_t i = 0; i < file_.size(); ++i)
      file_[i] = static_cast<std::byte>(i * 7 + i / 251);
  }

  // Reads `size` bytes at `linear`; what came has to be the file's.
  std::int64_t read(std::uint64_t linear, std::size_t size) {
    std::vector<std::byte> out(size);
    const std::int64_t count =
        ahead_.read(linear, out, file_.size() - linear, [&](MutableBytes bytes) -> std::int64_t {
          ++reads_;
          bytes_read_ += bytes.size();
          if (error_ != 0) return -error_;
          const auto length = std::min({bytes.size(), most_, file_.size() - linear});
          std::copy_n(file_.begin() + static_cast<std::ptrdiff_t>(linear), length, bytes.begin());
          return static_cast<std::int64_t>(length);
        });
    if (count > 0) {
      EXPECT_TRUE(std::equal(out.begin(), out.begin() + count,
                             file_.begin() + static_cast<std::ptrdiff_t>(linear)));
    }
    return count;
  }

  std::vector<std::byte> file_;
  ReadAhead ahead_;
  std::uint64_t reads_ = 0;
  std::uint64_t bytes_read_ = 0;
  std::size_t most_ = SIZE_MAX;
  int error_ = 0;
};

TEST_F(ReadAheadTest, WhoGoesOnGetsWholeFramesOutOfPieces) {
  constexpr std::size_t kFrames = 300;
  for (std::size_t i = 0; i < kFrames; ++i) ASSERT_EQ(read(i * kFrame, kFrame), kFrame);
  constexpr std::size_t kFramesOfAPiece = ReadAhead::kPieceSize / kFrame;
  EXPECT_EQ(reads_, 1 + (kFrames - 1 + kFramesOfAPiece - 1) / kFramesOfAPiece);
}

TEST_F(ReadAheadTest, ReadersDoNotDisturbEachOther) {
  constexpr std::size_t kFrames = 30;  // one piece and one frame
  for (std::size_t i = 0; i < kFrames; ++i) {
    for (std::size_t reader = 0; reader < ReadAhead::kMaxPieces; ++reader)
      ASSERT_EQ(read(reader * ReadAhead::kPieceSize + i * kFrame, kFrame), kFrame);
  }
  EXPECT_EQ(reads_, 2 * ReadAhead::kMaxPieces);
}

TEST_F(ReadAheadTest, ReadsFromAnywhereElseTakeWhatTheyNeed) {
  for (const std::uint64_t at : {100'000U, 50'000U, 300'000U, 1'000U})
    ASSERT_EQ(read(at, kFrame), kFrame);
  EXPECT_EQ(bytes_read_, 4 * kFrame);
  // The same read again goes back to before the place where the reader would continue.
  ASSERT_EQ(read(50'000, kFrame), kFrame);
  EXPECT_EQ(bytes_read_, 5 * kFrame);
}

TEST_F(ReadAheadTest, NeverBeyondTheEnd) {
  const std::uint64_t from = file_.size() - 3 * kFrame - 1;
  for (int i = 0; i < 3; ++i) ASSERT_EQ(read(from + i * kFrame, kFrame), kFrame);
  ASSERT_EQ(read(file_.size() - 1, 1), 1);
  EXPECT_LE(bytes_read_, 3 * kFrame + 1);
}

TEST_F(ReadAheadTest, ShortReadsAndErrorsAreTheCallers) {
  most_ = 300;
  ASSERT_EQ(read(0, kFrame), 300);
  ASSERT_EQ(read(300, kFrame), 300);
  error_ = EIO;
  ASSERT_EQ(read(600, kFrame), -EIO);
  error_ = 0;
  most_ = 0;
  ASSERT_EQ(read(600, kFrame), 0);
  most_ = SIZE_MAX;
  ASSERT_EQ(read(600, kFrame), kFrame);
}

TEST_F(ReadAheadTest, ForgetsWhenReset) {
  ASSERT_EQ(read(0, kFrame), kFrame);
  ASSERT_EQ(read(kFrame, kFrame), kFrame);
  std::ranges::reverse(file_);  // other files by the same names
  ahead_.reset();
  ASSERT_EQ(read(2 * kFrame, kFrame), kFrame);
  ASSERT_EQ(read(kFrame, kFrame), kFrame);
  EXPECT_EQ(reads_, 4U);
}

}  // namespace
}  // namespace binlane
