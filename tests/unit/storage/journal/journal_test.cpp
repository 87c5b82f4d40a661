#include "storage/journal/journal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/stream_digest.h"
#include "storage/journal/journal_cursor.h"
#include "support/journal_memory.h"

namespace binlane {
namespace {

constexpr Epoch kFirstEpoch{1, 1};
constexpr Epoch kNextEpoch{1, 2};

class JournalTest : public testing::Test {
 protected:
  JournalTest() : memory_(kBlocks), journal_(memory_.image(), start()) {
    journal_.begin_at({5, 0});
  }

  static JournalStart start() {
    JournalStart start;
    start.journal_id = 77;
    return start;
  }

  bool append(const std::string& text) { return journal_.append(journal_.end(), test_bytes(text)); }
  void complete(const DiskWrite& write) {
    journal_.on_completion({write.id, static_cast<std::int32_t>(write.length)});
  }
  // Writes everything out; returns the number of writes.
  int write_all() {
    int writes = 0;
    while (const auto write = journal_.next_write()) {
      complete(*write);
      ++writes;
    }
    return writes;
  }
  // Everything the archive may copy since the last call, as text; <N> for the end of file N.
  std::string archived_text() {
    std::string text;
    while (const auto chunk = cursor_->next(journal_.release_mark())) {
      if (chunk->file_end) {
        text += "<" + std::to_string(chunk->end.file) + ">";
      } else {
        text.append(reinterpret_cast<const char*>(chunk->bytes.data()), chunk->bytes.size());
      }
    }
    return text;
  }
  const Block& block(std::uint64_t sequence) const {
    return *reinterpret_cast<const Block*>(journal_.image().data() +
                                           sequence % kBlocks * kBlockSize);
  }

  static constexpr std::uint32_t kBlocks = 64;
  JournalMemory memory_;
  Journal journal_;
  std::optional<JournalCursor> cursor_{JournalCursor(journal_, {})};
};

TEST_F(JournalTest, BeginsEmpty) {
  EXPECT_EQ(journal_.end(), (Position{5, 0}));
  EXPECT_EQ(journal_.durable(), (Position{5, 0}));
  EXPECT_EQ(journal_.released(), (Position{5, 0}));
  EXPECT_EQ(journal_.end_log(), 0u);
  EXPECT_EQ(journal_.free_blocks(), kBlocks - kReservedBlocks);
  EXPECT_TRUE(journal_.idle());
  EXPECT_TRUE(journal_.records_durable());
  EXPECT_FALSE(journal_.next_write().has_value());
}

TEST_F(JournalTest, IsDurableOnlyWhenTheWriteCompleted) {
  ASSERT_TRUE(append("hello "));
  ASSERT_TRUE(append("world"));
  EXPECT_EQ(journal_.end(), (Position{5, 11}));
  EXPECT_EQ(journal_.durable_log(), 0u);
  const auto write = journal_.next_write();
  ASSERT_TRUE(write.has_value());
  EXPECT_EQ(write->length, kBlockSize);  // both appends went into one block
  EXPECT_EQ(write->offset, 1 * kBlockSize);
  EXPECT_EQ(journal_.durable_log(), 0u);
  complete(*write);
  EXPECT_EQ(journal_.durable_log(), 11u);
  EXPECT_EQ(journal_.durable(), (Position{5, 11}));
}

TEST_F(JournalTest, SealsBlocksThatValidate) {
  ASSERT_TRUE(append("hello"));
  write_all();
  ASSERT_TRUE(append("again"));
  write_all();
  EXPECT_TRUE(block_validates(block(1)));
  EXPECT_TRUE(block_is_well_formed(block(2)));
  EXPECT_EQ(block(2).sequence, 2u);
  EXPECT_EQ(block(2).completed_sequence, 1u);
  EXPECT_EQ(block(2).previous_crc, block(1).integrity.crc);
  EXPECT_EQ(block(2).position(), (Position{5, 5}));
  EXPECT_EQ(block(2).journal_id, 77u);
  EXPECT_EQ(block(2).batch_count, 1u);
}

// Pad forward: what was handed out is never written again.
TEST_F(JournalTest, BeginsEachBatchOnAFreshBlock) {
  ASSERT_TRUE(append("a"));
  const auto first = journal_.next_write();
  ASSERT_TRUE(append("b"));
  const auto second = journal_.next_write();
  ASSERT_TRUE(append("c"));
  EXPECT_FALSE(journal_.next_write().has_value());  // two small ones in flight
  EXPECT_EQ(first->offset, 1 * kBlockSize);
  EXPECT_EQ(second->offset, 2 * kBlockSize);
  complete(*second);
  EXPECT_EQ(journal_.durable_log(), 0u) << "the first write is not complete";
  complete(*first);
  EXPECT_EQ(journal_.durable_log(), 2u);
  EXPECT_EQ(journal_.next_write()->offset, 3 * kBlockSize);
}

// More than two at once only where there is a bulk to write.
TEST_F(JournalTest, AThirdWriteWaitsForABulk) {
  const std::string nearly((kBulkBlocks - 1) * kBlockPayloadSize, 'x');
  ASSERT_TRUE(append("a"));
  const auto first = journal_.next_write();
  ASSERT_TRUE(append("b"));
  const auto second = journal_.next_write();
  ASSERT_TRUE(append(nearly));
  EXPECT_FALSE(journal_.next_write().has_value());
  ASSERT_TRUE(append("y"));
  const auto third = journal_.next_write();
  ASSERT_TRUE(third.has_value());
  EXPECT_EQ(third->length, kBulkBlocks * kBlockSize);
  ASSERT_TRUE(append(nearly + "z"));
  const auto fourth = journal_.next_write();
  ASSERT_TRUE(fourth.has_value());
  ASSERT_TRUE(append(nearly + "z"));
  EXPECT_FALSE(journal_.next_write().has_value());  // four are in flight
  // They count when all before them are complete, in whatever order they end.
  complete(*fourth);
  complete(*second);
  complete(*third);
  EXPECT_EQ(journal_.durable_log(), 0u);
  complete(*first);
  EXPECT_EQ(journal_.durable_log(), 2 + 2 * (nearly.size() + 1));
}

TEST_F(JournalTest, StopsForEverAtAnError) {
  ASSERT_TRUE(append("a"));
  const auto first = journal_.next_write();
  ASSERT_TRUE(append("b"));
  const auto second = journal_.next_write();
  journal_.on_completion({first->id, -EIO});
  complete(*second);
  EXPECT_TRUE(journal_.failed());
  EXPECT_EQ(journal_.failure(), EIO);
  EXPECT_EQ(journal_.durable_log(), 0u);
  EXPECT_FALSE(append("c"));
  EXPECT_FALSE(journal_.next_write().has_value());
}

TEST_F(JournalTest, TakesAShortWriteForAnError) {
  ASSERT_TRUE(append("a"));
  const auto write = journal_.next_write();
  journal_.on_completion({write->id, 512});
  EXPECT_EQ(journal_.failure(), EIO);
  EXPECT_EQ(journal_.durable_log(), 0u);
}

TEST_F(JournalTest, KeepsADurablePrefixWhenTheSecondWriteFails) {
  ASSERT_TRUE(append("a"));
  const auto first = journal_.next_write();
  ASSERT_TRUE(append("b"));
  const auto second = journal_.next_write();
  complete(*first);
  journal_.on_completion({second->id, -ENOSPC});
  EXPECT_EQ(journal_.failure(), ENOSPC);
  EXPECT_EQ(journal_.durable_log(), 1u);
}

TEST_F(JournalTest, RefusesWhatDoesNotFitAndAddsNothingOfIt) {
  const std::string room((kBlocks - kReservedBlocks) * kBlockPayloadSize, 'x');
  EXPECT_FALSE(append(room + "y"));
  EXPECT_EQ(journal_.end_log(), 0u);
  EXPECT_TRUE(append(room));
  EXPECT_EQ(journal_.free_blocks(), 0u);
  EXPECT_FALSE(append("y"));
  EXPECT_FALSE(journal_.append_file_end({5, room.size(), room.size(), 0}));
  EXPECT_TRUE(journal_.start_epoch(kFirstEpoch)) << "records may use the reserve";
}

TEST_F(JournalTest, NeverWrapsABatchAndReusesOnlyWhatWasArchived) {
  std::string expected;
  std::string archived;
  int wraps = 0;
  for (int i = 0; i < 500; ++i) {
    const std::string text(static_cast<std::size_t>(i * 37 % 9000 + 1),
                           static_cast<char>('a' + i % 26));
    if (!append(text)) {
      journal_.release(journal_.durable_log());
      archived += archived_text();
      ASSERT_GT(cursor_->consumed().sequence, 0u);
      journal_.on_archived(cursor_->consumed().sequence);
      ASSERT_TRUE(append(text));
      ++wraps;
    }
    expected += text;
    while (const auto write = journal_.next_write()) {
      ASSERT_LE(write->offset + write->length, kBlocks * kBlockSize);
      ASSERT_LE(write->length, kMaxBatchBlocks * kBlockSize);
      complete(*write);
    }
  }
  EXPECT_GT(wraps, 3);
  journal_.release(journal_.durable_log());
  archived += archived_text();
  EXPECT_EQ(archived, expected);
  EXPECT_EQ(journal_.end(), (Position{5, expected.size()}));
}

TEST_F(JournalTest, CountsTheEndOfAFileAsOneUnit) {
  ASSERT_TRUE(append("file five"));
  ASSERT_TRUE(journal_.append_file_end({5, 9, 9, 0}));
  EXPECT_EQ(journal_.end(), (Position{6, 0}));
  EXPECT_EQ(journal_.end_log(), 10u);
  ASSERT_TRUE(append("six"));
  write_all();
  EXPECT_EQ(journal_.position_of(9), (Position{5, 9}));
  EXPECT_EQ(journal_.position_of(10), (Position{6, 0}));
  EXPECT_EQ(journal_.log_of({5, 9}), 9u);
  EXPECT_EQ(journal_.log_of({6, 0}), 10u);
  EXPECT_EQ(journal_.log_of({6, 3}), 13u);
  EXPECT_EQ(journal_.log_of({5, 10}), std::nullopt);
  EXPECT_EQ(journal_.log_of({6, 4}), std::nullopt);
  EXPECT_EQ(journal_.log_of({4, 0}), std::nullopt);
  EXPECT_EQ(journal_.log_of({}), std::nullopt);
  journal_.release(9);
  EXPECT_EQ(archived_text(), "file five");
  EXPECT_EQ(journal_.released(), (Position{5, 9}));
  journal_.release(10);
  EXPECT_EQ(archived_text(), "<5>");
  journal_.release(12);
  EXPECT_EQ(archived_text(), "si");
  journal_.release(13);
  EXPECT_EQ(archived_text(), "x");
}

// Safety rule S6: nothing of the next file counts before the end of this one does.
TEST_F(JournalTest, TheEndOfAFileCountsOnceItIsDurable) {
  ASSERT_TRUE(append("file five"));
  write_all();
  ASSERT_TRUE(journal_.append_file_end({5, 9, 9, 0}));
  EXPECT_EQ(journal_.durable_log(), 9u);
  const auto write = journal_.next_write();
  ASSERT_TRUE(write.has_value());
  EXPECT_EQ(journal_.durable_log(), 9u);
  EXPECT_EQ(journal_.durable(), (Position{5, 9}));
  complete(*write);
  EXPECT_EQ(journal_.durable(), (Position{6, 0}));
}

TEST_F(JournalTest, ReleasesNoMoreThanIsDurableAndNeverLess) {
  ASSERT_TRUE(append("abc"));
  journal_.release(3);
  EXPECT_EQ(journal_.released_log(), 0u);
  EXPECT_EQ(archived_text(), "");
  write_all();
  journal_.release(100);
  EXPECT_EQ(journal_.released_log(), 3u);
  journal_.release(1);
  EXPECT_EQ(journal_.released_log(), 3u);
  EXPECT_EQ(archived_text(), "abc");
}

TEST_F(JournalTest, CutsByARecord) {
  ASSERT_TRUE(journal_.start_epoch(kFirstEpoch));
  ASSERT_TRUE(append("kept"));
  ASSERT_TRUE(append("lost"));
  write_all();
  ASSERT_TRUE(append("more lost"));
  write_all();
  journal_.release(2);
  EXPECT_EQ(archived_text(), "ke");
  ASSERT_TRUE(journal_.cut(4, kNextEpoch));
  EXPECT_EQ(journal_.end(), (Position{5, 4}));
  EXPECT_EQ(journal_.durable_log(), 4u);
  EXPECT_FALSE(journal_.records_durable());
  EXPECT_EQ(journal_.epoch(), kNextEpoch);
  EXPECT_EQ(journal_.data_epoch(), kFirstEpoch);
  write_all();
  EXPECT_TRUE(journal_.records_durable());
  ASSERT_TRUE(append("new"));
  EXPECT_EQ(journal_.data_epoch(), kNextEpoch);
  write_all();
  journal_.release(journal_.durable_log());
  EXPECT_EQ(archived_text(), "ptnew");
  EXPECT_EQ(journal_.log_of({5, 7}), 7u);
  const std::string whole = "keptnew";
  EXPECT_EQ(journal_.digest(0, 7), digest_bytes(0, 0, test_bytes(whole)));
}

// A ring full of bytes that the source lost: the cut itself must make room.
TEST_F(JournalTest, FreesWhatWasCutWithoutNewData) {
  const std::string room((kBlocks - kReservedBlocks) * kBlockPayloadSize, 'x');
  ASSERT_TRUE(append(room));
  write_all();
  EXPECT_EQ(journal_.free_blocks(), 0u);
  ASSERT_TRUE(journal_.cut(0, kFirstEpoch));
  write_all();
  EXPECT_EQ(archived_text(), "");
  EXPECT_EQ(cursor_->consumed().sequence, journal_.last_sequence());
  EXPECT_EQ(cursor_->consumed().position, (Position{5, 0}));
  journal_.on_archived(cursor_->consumed().sequence);
  EXPECT_EQ(journal_.free_blocks(), kBlocks - kReservedBlocks);
  EXPECT_TRUE(append(room));
}

TEST_F(JournalTest, CutsAcrossFiles) {
  ASSERT_TRUE(append("five"));
  ASSERT_TRUE(journal_.append_file_end({5, 4, 4, 0}));
  ASSERT_TRUE(append("six"));
  write_all();
  ASSERT_TRUE(journal_.cut(4, kFirstEpoch));
  EXPECT_EQ(journal_.end(), (Position{5, 4}));
  ASSERT_TRUE(append("teen"));
  ASSERT_TRUE(journal_.append_file_end({5, 8, 8, 0}));
  write_all();
  journal_.release(journal_.durable_log());
  EXPECT_EQ(archived_text(), "fiveteen<5>");
}

TEST_F(JournalTest, NewEpochsDoNotShareBlocksWithOldBytes) {
  ASSERT_TRUE(journal_.start_epoch(kFirstEpoch));
  ASSERT_TRUE(append("old"));
  ASSERT_TRUE(journal_.start_epoch(kNextEpoch));
  ASSERT_TRUE(append("new"));
  EXPECT_FALSE(journal_.records_durable());
  write_all();
  EXPECT_EQ(block(2).epoch(), kFirstEpoch);
  EXPECT_EQ(block(3).epoch(), kNextEpoch);
  EXPECT_EQ(block(4).epoch(), kNextEpoch);
  EXPECT_EQ(static_cast<BlockKind>(std::uint16_t{block(3).kind}), BlockKind::epoch);
}

TEST_F(JournalTest, DigestsAnyRangeAndMasksTheInUseFlag) {
  std::string file(10'000, '\0');
  for (std::size_t i = 0; i < file.size(); ++i) file[i] = static_cast<char>(i * 7);
  ASSERT_TRUE(append(file.substr(0, 15)));
  write_all();
  ASSERT_TRUE(append(file.substr(15)));
  ASSERT_TRUE(journal_.append_file_end({5, file.size(), file.size(), 0}));
  ASSERT_TRUE(append("next file"));
  for (const std::size_t from : {0u, 3u, 14u, 15u, 20u, 21u, 22u, 5000u, 10'000u}) {
    std::uint32_t expected = digest_bytes(0, from, test_bytes(file).subspan(from));
    EXPECT_EQ(journal_.digest(from, file.size()), expected) << from;
    expected = digest_file_end(expected);
    EXPECT_EQ(journal_.digest(from, file.size() + 1), expected) << from;
    expected = digest_bytes(expected, 0, test_bytes("next"));
    EXPECT_EQ(journal_.digest(from, file.size() + 5), expected) << from;
    EXPECT_EQ(journal_.digest(file.size(), file.size() + 5, journal_.digest(from, file.size())),
              expected);
  }
  EXPECT_EQ(journal_.digest(7, 7), 0u);
}

}  // namespace
}  // namespace binlane
