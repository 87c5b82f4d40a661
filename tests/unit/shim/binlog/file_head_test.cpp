#include "shim/binlog/file_head.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "shim/binlog/binlog_event.h"
#include "support/numbered_binlog.h"
#include "support/renamed_binlog.h"

namespace binlane {
namespace {

using test::BinlogWriter;
using test::Bytes;
using test::numbered_binlog;
using test::RenamedBinlog;
using test::sum_again;

// Zeros where the server has not written yet, or the reader was there before it.
Bytes with_zeros(Bytes bytes, std::size_t from, std::size_t to) {
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(from),
            bytes.begin() + static_cast<std::ptrdiff_t>(to), std::byte{0});
  return bytes;
}

TEST(FileHead, AnEmptyFileAndZerosAreNotThereYet) {
  EXPECT_EQ(judge_head({}), FileHead::absent);
  EXPECT_EQ(judge_head(Bytes(1)), FileHead::absent);
  EXPECT_EQ(judge_head(Bytes(kFileHeadSize)), FileHead::absent);
  const Bytes headless = RenamedBinlog(5).headless();
  EXPECT_EQ(judge_head(ConstBytes(headless).first(kFileHeadSize)), FileHead::absent);
}

TEST(FileHead, TheWholeHeadOfARenamedFileIsProven) {
  const Bytes head = RenamedBinlog(5).head();
  ASSERT_EQ(head.size(), kFileHeadSize);
  EXPECT_EQ(judge_head(head), FileHead::whole);
}

// The write goes on from the front, and a reader may be ahead of it, or be overtaken.
TEST(FileHead, NoPartOfAHeadIsTakenForTheWhole) {
  const Bytes head = RenamedBinlog(5).head();
  for (std::size_t at = 0; at < head.size(); ++at) {
    const Bytes begun = with_zeros(head, at, head.size());
    if (begun == head) continue;
    EXPECT_EQ(judge_head(begun), at == 0 ? FileHead::absent : FileHead::torn) << at;
    const Bytes holed = with_zeros(head, at, std::min(at + 16, head.size()));
    EXPECT_EQ(judge_head(holed) == FileHead::whole, holed == head) << at;
  }
}

TEST(FileHead, WithoutChecksumsNothingProvesIt) {
  const Bytes head = RenamedBinlog(5, 100'000, false).head();
  EXPECT_EQ(judge_head(head), FileHead::unproven);
  for (std::size_t at = 1; at < head.size(); ++at)
    ASSERT_NE(judge_head(with_zeros(head, at, head.size())), FileHead::whole) << at;
}

// A file that grows from its beginning has no holes: every part of it is as it will be.
TEST(FileHead, AGrowingFileBeginsWithItsFormatDescription) {
  const Bytes bytes = numbered_binlog(7, 3);
  const std::size_t format_end =
      kBinlogMagicSize + parse_event_header(bytes.data() + kBinlogMagicSize).length;
  for (std::size_t size = 1; size <= std::min(bytes.size(), kFileHeadSize); ++size) {
    const FileHead expected = size < kBinlogMagicSize ? FileHead::torn
                              : size < format_end     ? FileHead::unproven
                                                      : FileHead::whole;
    ASSERT_EQ(judge_head(ConstBytes(bytes).first(size)), expected) << size;
  }
}

TEST(FileHead, WhatIsNoBinlogIsForTheTrackerToSay) {
  Bytes encrypted = RenamedBinlog(5).head();
  encrypted[0] = std::byte{0xfd};
  EXPECT_EQ(judge_head(encrypted), FileHead::whole);
}

// The format description says that the file has checksums, in a byte that its own checksum covers.
TEST(FileHead, ADamagedEventIsTorn) {
  BinlogWriter writer;
  writer.begin({});
  Bytes bytes = writer.bytes();
  const std::size_t list =
      kBinlogMagicSize + parse_event_header(bytes.data() + kBinlogMagicSize).length;
  bytes[list + kEventHeaderSize] ^= std::byte{1};
  EXPECT_EQ(judge_head(bytes), FileHead::torn);
  sum_again(bytes, list);
  EXPECT_EQ(judge_head(bytes), FileHead::whole);
}

TEST(HeadWatch, WaitsForAWholeHead) {
  HeadWatch watch;
  EXPECT_FALSE(watch.has_begun(FileHead::absent, 1));
  EXPECT_FALSE(watch.has_begun(FileHead::absent, 100 * HeadWatch::kTorn_ns));
  EXPECT_TRUE(watch.has_begun(FileHead::whole, 100 * HeadWatch::kTorn_ns));
}

TEST(HeadWatch, ATornHeadIsGivenUpAfterASecond) {
  HeadWatch watch;
  EXPECT_FALSE(watch.has_begun(FileHead::torn, 1));
  EXPECT_FALSE(watch.has_begun(FileHead::torn, HeadWatch::kTorn_ns));
  EXPECT_TRUE(watch.has_begun(FileHead::torn, HeadWatch::kTorn_ns + 1));
  // Another file meanwhile: its second begins anew.
  EXPECT_FALSE(watch.has_begun(FileHead::absent, HeadWatch::kTorn_ns + 2));
  EXPECT_FALSE(watch.has_begun(FileHead::torn, 2 * HeadWatch::kTorn_ns));
}

TEST(HeadWatch, AnUnprovenHeadIsBelievedAtTheSecondLook) {
  HeadWatch watch;
  EXPECT_FALSE(watch.has_begun(FileHead::unproven, 1));
  EXPECT_FALSE(watch.has_begun(FileHead::absent, 2));
  EXPECT_FALSE(watch.has_begun(FileHead::unproven, 3));
  EXPECT_TRUE(watch.has_begun(FileHead::unproven, 4));
}

}  // namespace
}  // namespace binlane
