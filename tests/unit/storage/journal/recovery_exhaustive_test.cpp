// A journal segment of 64 KiB under every single bit flip and cut off at every byte: what recovery
// makes of it is the truth, or the truth's beginning together with a mark that says how far the log
// had reached. The same for the superblock.
//
// BINLANE_STRIDE=<n> looks at every n-th case only (the sanitised build does).
#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "storage/journal/journal.h"
#include "storage/journal/journal_cursor.h"
#include "storage/journal/journal_meta.h"
#include "storage/journal/recovery.h"
#include "storage/record_slots.h"
#include "support/journal_memory.h"

namespace binlane::recovery_exhaustive_test {

constexpr std::uint32_t kRingBlocks = kMinJournalBlocks;
constexpr std::uint32_t kSegmentBlocks = 16;
constexpr std::size_t kSegmentSize = kSegmentBlocks * kBlockSize;
static_assert(kSegmentSize == 64 * 1024);

std::size_t stride() {
  const char* const text = std::getenv("BINLANE_STRIDE");
  return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
}

// A ring in its second lap. The segment holds all kinds of blocks, in batches of one to three, and
// every one was ACKed. The blocks before it are archived.
class SegmentTest : public testing::Test {
 protected:
  SegmentTest() {
    meta_.journal.bytes.fill(0x42);
    meta_.block_count = kRingBlocks;
    open();
    journal_->begin_at({1, 4});
    fill_first_lap();
    first_ = journal_->last_sequence() + 1;
    write_segment();
    EXPECT_EQ(journal_->last_sequence() + 1 - first_, kSegmentBlocks);
    acked_ = {journal_->epoch(), journal_->durable()};
    EXPECT_EQ(journal_->durable(), journal_->end());
    std::memcpy(truth_.image().data(), medium_.image().data(), truth_.image().size());
  }

  void open() {
    const RecoveredJournal recovered = recover_journal(medium_.image(), meta_);
    ASSERT_EQ(recovered.refusal, "");
    meta_ = superblock_after(meta_, recovered.start);
    std::memcpy(memory_.image().data(), medium_.image().data(), memory_.image().size());
    journal_.emplace(memory_.image(), recovered.start);
    cursor_.emplace(*journal_, meta_.archived);
  }

  void append(std::size_t length) {
    std::vector<std::byte> bytes(length);
    for (std::size_t i = 0; i < length; ++i) bytes[i] = static_cast<std::byte>(salt_ + i * 7);
    ++salt_;
    ASSERT_TRUE(journal_->append(journal_->end(), bytes));
  }
  void write() {
    const auto batch = journal_->next_write();
    ASSERT_TRUE(batch.has_value());
    std::memcpy(medium_.image().data() + batch->offset, batch->data, batch->length);
    journal_->on_completion({batch->id, static_cast<std::int32_t>(batch->length)});
  }
  void archive() {
    journal_->release(journal_->durable_log());
    while (cursor_->next(journal_->release_mark())) {
    }
    meta_.archived = cursor_->consumed();
    meta_.durable_sequence = journal_->release_mark().durable_sequence;
    meta_.durable = journal_->release_mark().durable;
    meta_.released = journal_->release_mark().position;
    journal_->on_archived(meta_.archived.sequence);
  }

  // The segment will be in slots 8 to 23, after old blocks and before older ones.
  void fill_first_lap() {
    ASSERT_TRUE(journal_->start_epoch({1, 1}));
    write();
    while (journal_->last_sequence() < kRingBlocks + 7) {
      append(900);
      write();
      archive();
    }
  }

  void write_segment() {
    append(3 * kBlockPayloadSize);  // one batch of three
    write();
    append(10);
    write();
    ASSERT_TRUE(journal_->start_epoch({1, 2}));
    write();
    append(2 * kBlockPayloadSize - 1);
    write();
    ASSERT_TRUE(journal_->append_file_end({1, journal_->end().offset, 17, 0}));
    write();
    append(1);
    write();
    append(kBlockPayloadSize);
    write();
    ASSERT_TRUE(journal_->cut(journal_->end_log() - 1000, {2, 1}));
    write();
    journal_->release(journal_->archived_log() + 5);
    append(70);
    write();
    append(2 * kBlockPayloadSize);
    write();
    // The last batch: nothing on the medium says that it was ACKed.
    append(1500);
    ASSERT_TRUE(journal_->append_file_end({2, journal_->end().offset, 0, 1}));
    write();
  }

  MutableBytes segment() {
    return medium_.image().subspan(first_ % kRingBlocks * kBlockSize, kSegmentSize);
  }
  ConstBytes true_segment() {
    return truth_.image().subspan(first_ % kRingBlocks * kBlockSize, kSegmentSize);
  }
  // The truth up to the block before `sequence`.
  bool is_true_up_to(std::uint64_t sequence) {
    return std::memcmp(segment().data(), true_segment().data(), (sequence - first_) * kBlockSize) ==
           0;
  }

  // What holds whatever happened: the log that recovery accepts is the beginning of the truth.
  void check_prefix(const RecoveredJournal& recovered) {
    ASSERT_EQ(recovered.refusal, "");
    ASSERT_GE(recovered.start.next_sequence, first_);
    ASSERT_LE(recovered.start.next_sequence, first_ + kSegmentBlocks);
    ASSERT_TRUE(is_true_up_to(recovered.start.next_sequence));
  }

  // Something that was ACKed was lost at `sequence`, and recovery has to say so.
  void check_damage_at(const RecoveredJournal& recovered, std::uint64_t sequence) {
    check_prefix(recovered);
    ASSERT_TRUE(recovered.damage.has_value());
    ASSERT_EQ(recovered.damage->first_sequence, sequence);
    ASSERT_EQ(recovered.start.next_sequence, sequence);
    const LogMark& until = recovered.start.damaged_until;
    ASSERT_GE(until.epoch, acked_.epoch);
    ASSERT_GE(until.position, acked_.position);
    ASSERT_FALSE(until.is_reached_by(recovered.start.epoch, recovered.start.end));
  }

  // What recovery accepted, as the journal serves it afterwards.
  std::uint32_t served_digest(const RecoveredJournal& recovered) {
    JournalMemory copy(kRingBlocks);
    std::memcpy(copy.image().data(), medium_.image().data(), copy.image().size());
    const Journal journal(copy.image(), recovered.start);
    return journal.digest(journal.retained_log(), journal.end_log());
  }

  JournalMemory medium_{kRingBlocks};
  JournalMemory memory_{kRingBlocks};
  JournalMemory truth_{kRingBlocks};
  JournalMeta meta_;
  std::optional<Journal> journal_;
  std::optional<JournalCursor> cursor_;
  std::uint64_t first_ = 0;  // the segment's first block
  LogMark acked_;
  unsigned salt_ = 1;
};

TEST_F(SegmentTest, UnharmedItIsTheTruth) {
  const RecoveredJournal recovered = recover_journal(medium_.image(), meta_);
  check_prefix(recovered);
  EXPECT_EQ(recovered.start.end, acked_.position);
  EXPECT_EQ(recovered.start.next_sequence, first_ + kSegmentBlocks);
  EXPECT_FALSE(recovered.damage.has_value());
  EXPECT_EQ(served_digest(recovered),
            journal_->digest(journal_->archived_log(), journal_->end_log()));
}

TEST_F(SegmentTest, EverySingleBitFlipIsDetected) {
  std::size_t cases = 0;
  for (std::size_t bit = 0; bit < kSegmentSize * 8; bit += stride()) {
    SCOPED_TRACE("bit " + std::to_string(bit));
    segment()[bit / 8] ^= std::byte{1} << static_cast<int>(bit % 8);
    const RecoveredJournal recovered = recover_journal(medium_.image(), meta_);
    check_damage_at(recovered, first_ + bit / 8 / kBlockSize);
    segment()[bit / 8] ^= std::byte{1} << static_cast<int>(bit % 8);
    if (HasFatalFailure()) return;
    ++cases;
  }
  EXPECT_EQ(cases, (kSegmentSize * 8 + stride() - 1) / stride());
  ASSERT_TRUE(is_true_up_to(first_ + kSegmentBlocks)) << "the test repairs what it breaks";
}

// The blocks beside the segment: those of the lap before, and archived ones. Nothing depends on
// them.
TEST_F(SegmentTest, ABitFlipOutsideTheLiveBlocksChangesNothing) {
  const std::size_t begin = first_ % kRingBlocks * kBlockSize;
  for (std::size_t bit = 0; bit < kRingBlocks * kBlockSize * 8; bit += 61 * stride()) {
    if (bit / 8 >= begin && bit / 8 < begin + kSegmentSize) continue;
    SCOPED_TRACE("bit " + std::to_string(bit));
    medium_.image()[bit / 8] ^= std::byte{1} << static_cast<int>(bit % 8);
    const RecoveredJournal recovered = recover_journal(medium_.image(), meta_);
    check_prefix(recovered);
    if (HasFatalFailure()) return;
    ASSERT_EQ(recovered.start.end, acked_.position);
    ASSERT_FALSE(recovered.damage.has_value());
    medium_.image()[bit / 8] ^= std::byte{1} << static_cast<int>(bit % 8);
  }
}

TEST_F(SegmentTest, EveryBlockThatCannotBeReadIsDamage) {
  for (std::uint64_t sequence = first_; sequence < first_ + kSegmentBlocks; ++sequence) {
    SCOPED_TRACE(sequence);
    const Block good = medium_.block(sequence % kRingBlocks);
    std::fill_n(reinterpret_cast<std::byte*>(&medium_.block(sequence % kRingBlocks)), kBlockSize,
                kUnreadableFill);
    const RecoveredJournal recovered = recover_journal(medium_.image(), meta_);
    check_prefix(recovered);
    ASSERT_TRUE(recovered.damage.has_value());
    ASSERT_EQ(recovered.start.next_sequence, sequence);
    // Nobody can say where the very last block ended; that it existed is reported.
    const LogMark& until = recovered.start.damaged_until;
    ASSERT_FALSE(until.is_reached_by(recovered.start.epoch, recovered.start.end));
    if (sequence + 1 < first_ + kSegmentBlocks) {
      ASSERT_GE(until.position, acked_.position);
    }
    medium_.block(sequence % kRingBlocks) = good;
  }
}

// The segment is cut off at every byte and reads as zeros after that, as a file does that was cut
// off and extended again. (A ring that is shorter than it should be is not opened at all:
// journal_file_test.) With a superblock that knows all of it every cut is damage, exactly at its
// place.
TEST_F(SegmentTest, EveryTruncationIsDetected) {
  meta_.durable_sequence = first_ + kSegmentBlocks - 1;
  meta_.durable = acked_;
  const std::vector<std::byte> whole(true_segment().begin(), true_segment().end());
  for (std::size_t length = 0; length < kSegmentSize; length += stride()) {
    SCOPED_TRACE("length " + std::to_string(length));
    std::fill(segment().begin() + static_cast<std::ptrdiff_t>(length), segment().end(),
              std::byte{0});
    const RecoveredJournal recovered = recover_journal(medium_.image(), meta_);
    // Padding is zero anyway: a block is lost only when something else was cut off.
    std::size_t intact = length / kBlockSize;
    while (intact < kSegmentBlocks &&
           std::memcmp(segment().data() + intact * kBlockSize, whole.data() + intact * kBlockSize,
                       kBlockSize) == 0) {
      ++intact;
    }
    if (intact == kSegmentBlocks) {
      check_prefix(recovered);
      ASSERT_FALSE(recovered.damage.has_value());
      ASSERT_EQ(recovered.start.end, acked_.position);
    } else {
      check_damage_at(recovered, first_ + intact);
    }
    std::copy(whole.begin(), whole.end(), segment().begin());
    if (HasFatalFailure()) return;
  }
}

// Bits flip in the superblock's record: both its slots, every bit. It is refused, or what is read
// is one of the two stores, and the older one with a warning; and the log that follows from it is
// the truth, from an earlier beginning at most.
TEST_F(SegmentTest, EveryBitFlipOfTheSuperblockIsDetected) {
  // The newer store moved the archive's mark over the segment's first batch.
  journal_->release(journal_->archived_log() + 3 * kBlockPayloadSize);
  const JournalMeta older = meta_;
  while (cursor_->next(journal_->release_mark())) {
  }
  meta_.archived = cursor_->consumed();
  meta_.durable_sequence = journal_->release_mark().durable_sequence;
  meta_.durable = journal_->release_mark().durable;
  ASSERT_EQ(meta_.archived.sequence, first_ + 2);

  std::vector<std::byte> record(kRecordSize);
  const auto store = [&record](std::uint64_t sequence, const JournalMeta& meta) {
    const std::vector<std::byte> slot = make_record_slot(sequence, encode_journal_meta(meta));
    std::copy(slot.begin(), slot.end(),
              record.begin() + static_cast<std::ptrdiff_t>(record_slot_offset(sequence)));
  };
  store(8, older);
  store(9, meta_);
  std::size_t fell_back = 0;
  for (std::size_t bit = 0; bit < kRecordSize * 8; bit += stride()) {
    SCOPED_TRACE("bit " + std::to_string(bit));
    record[bit / 8] ^= std::byte{1} << static_cast<int>(bit % 8);
    std::string error;
    const auto contents = read_record(record, error);
    record[bit / 8] ^= std::byte{1} << static_cast<int>(bit % 8);
    ASSERT_TRUE(contents.has_value()) << error;
    ASSERT_TRUE(contents->slot_was_damaged);
    const bool newer_hit = bit / 8 / kRecordSlotSize == 9 % kRecordSlotCount;
    ASSERT_EQ(contents->sequence, newer_hit ? 8u : 9u);
    ASSERT_EQ(*contents->payload, encode_journal_meta(newer_hit ? older : meta_));
    if (newer_hit) ++fell_back;
    const auto decoded = decode_journal_meta(*contents->payload, error);
    ASSERT_TRUE(decoded.has_value()) << error;
    if (bit % 64 != 0) continue;  // there are two outcomes only
    const RecoveredJournal recovered = recover_journal(medium_.image(), *decoded);
    check_prefix(recovered);
    if (HasFatalFailure()) return;
    ASSERT_EQ(recovered.start.end, acked_.position);
    ASSERT_EQ(recovered.start.archived_sequence, newer_hit ? first_ - 1 : first_ + 2);
  }
  // Every flip in the newer one's slot that the stride hits.
  const auto flips_below = [](std::size_t bit) { return (bit + stride() - 1) / stride(); };
  const std::size_t slot = record_slot_offset(9) * 8;
  EXPECT_EQ(fell_back, flips_below(slot + kRecordSlotSize * 8) - flips_below(slot));
}

// The ring has advanced so far with the newer superblock that the older one does not fit it any
// more: opening it with the older one is refused, at every distance at which blocks were
// overwritten.
TEST_F(SegmentTest, ASuperblockThatIsTooOldForTheRingIsRefused) {
  const JournalMeta older = meta_;
  for (std::uint32_t written = 0; written < 2 * kRingBlocks; ++written) {
    archive();
    append(100);
    write();
    const RecoveredJournal recovered = recover_journal(medium_.image(), older);
    const bool overwritten = journal_->last_sequence() > older.archived.sequence + kRingBlocks;
    ASSERT_EQ(recovered.refusal.empty(), !overwritten) << written << ": " << recovered.refusal;
    if (!overwritten) {
      ASSERT_EQ(recovered.start.end, journal_->end());
    }
  }
}

}  // namespace binlane::recovery_exhaustive_test
