#include "control/replica/held_groups.h"

#include <gtest/gtest.h>

#include "storage/journal/journal_meta.h"
#include "storage/journal/recovery.h"
#include "support/fake_binlog_files.h"
#include "support/journal_memory.h"

namespace binlane {
namespace {

using test::BinlogWriter;
using test::Bytes;

class HeldGroupsTest : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kBlocks = 256;

  HeldGroupsTest() {
    meta_.journal.bytes.fill(0x42);
    meta_.block_count = kBlocks;
    journal_.emplace(memory_.image(), recover_journal(memory_.image(), meta_).start);
    writer_.begin({});
    writer_.transaction(1, 300);
  }
  // What the archive already has of file 1; the journal continues from there.
  void archived(std::uint64_t size) {
    const Bytes& bytes = writer_.bytes();
    archive_.append(1, Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)));
    journal_->begin_at({1, size});
    given_ = size;
  }
  // The replica holds the file up to here.
  void hold(std::uint64_t size) {
    for (; given_ < size; given_ = journal_->end().offset) {
      const std::uint64_t length = std::min<std::uint64_t>(size - given_, 100);
      ASSERT_TRUE(
          journal_->append({1, given_}, ConstBytes(writer_.bytes()).subspan(given_, length)));
    }
  }
  void write_out() {
    while (const auto batch = journal_->next_write())
      journal_->on_completion({batch->id, static_cast<std::int32_t>(batch->length)});
  }
  std::optional<HeldGroups> look() { return held_groups(archive_, *journal_, meta_.archived); }

  JournalMemory memory_{kBlocks};
  JournalMeta meta_;
  std::optional<Journal> journal_;
  test::FakeBinlogFiles archive_;
  BinlogWriter writer_;
  std::uint64_t given_ = 0;
};

TEST_F(HeldGroupsTest, HalfAGroupIsBehindTheLastWholeOne) {
  const std::uint64_t whole = writer_.size();
  writer_.transaction(2, 900);
  const std::uint64_t second = writer_.size();
  // From the archive's part of the file on, wherever that ends.
  for (const std::uint64_t begin : {std::uint64_t{0}, whole - 40, whole, whole + 60}) {
    memory_ = JournalMemory(kBlocks);
    journal_.emplace(memory_.image(), recover_journal(memory_.image(), meta_).start);
    archive_.remove(1);
    archived(begin);
    hold(second - 1);
    EXPECT_FALSE(look()) << "writes are in flight";
    write_out();
    auto held = look();
    ASSERT_TRUE(held) << begin;
    EXPECT_EQ(held->end_log, second - 1 - begin);
    EXPECT_EQ(held->whole_log, whole > begin ? whole - begin : 0);
    hold(second);
    write_out();
    held = look();
    ASSERT_TRUE(held);
    EXPECT_EQ(held->whole_log, held->end_log);
  }
}

TEST_F(HeldGroupsTest, AFilesEndIsWhole) {
  writer_.rotate("binlog.000002");
  archived(0);
  hold(writer_.size());
  ASSERT_TRUE(journal_->append_file_end({1, writer_.size(), writer_.size(), 0}));
  write_out();
  const auto held = look();
  ASSERT_TRUE(held);
  EXPECT_EQ(held->whole_log, writer_.size() + 1);
  EXPECT_EQ(held->end_log, held->whole_log);
}

TEST_F(HeldGroupsTest, SaysNothingOfWhatItCannotRead) {
  EXPECT_FALSE(look()) << "the journal is blank";
  archived(writer_.size() - 10);
  hold(writer_.size());
  write_out();
  EXPECT_TRUE(look());
  archive_.read_error = EIO;
  EXPECT_FALSE(look());
  archive_.read_error = 0;
  archive_.truncate(1, 100);
  EXPECT_FALSE(look());
  archive_.remove(1);
  EXPECT_FALSE(look());
}

}  // namespace
}  // namespace binlane
