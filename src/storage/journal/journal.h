// Journal: the replica's landing zone, as logic without I/O.
//
// The ring of blocks is kept in memory as an image of the file (`image`). Blocks are built in place
// in it, the writes handed out point into it, the archive copies released bytes out of it, and
// recovery fills it. A slot is reused only after the archive has freed it, so the image always
// holds what the file holds.
//
// Coordinates: a *log offset* is a u64 that counts stream bytes since this journal was opened (0 is
// the end of the archive at that moment). The end of a binlog file (FILE_END) takes one unit, so
// that a mark past it is a statement of its own. Positions are what the blocks and people use.
//
// The replica's lane owns the object. Nothing here allocates after construction.
//
// durable_log() covers completed writes only [I2], is prefix-closed and grows [I5]; cut() keeps
// [I6].
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/epoch.h"
#include "base/file_end.h"
#include "base/mutant.h"
#include "base/position.h"
#include "storage/journal/block.h"
#include "storage/journal/block_table.h"
#include "storage/journal/disk.h"

namespace binlane {

// Blocks of one write. 256 KiB is large enough for the device's bandwidth, and small enough that
// its checksums (about 0.5 us a block) and its transfer do not delay what arrives meanwhile.
inline constexpr std::uint32_t kMaxBatchBlocks = 64;
// Small writes only slow each other down when more than two are in flight (a write at 50,000/s took
// 131 us with one, 112 with two, 150 with four). So the third and the fourth wait until there is a
// large write, which lone commits never cause.
inline constexpr std::size_t kMaxSmallWrites = 2;
inline constexpr std::uint32_t kBulkBlocks = 16;
static_assert(kMaxSmallWrites < kMaxWritesInFlight && kBulkBlocks <= kMaxBatchBlocks);
// Blocks that data never takes, so that records (EPOCH, CUT) find room in a full ring: only a cut
// may be able to empty it.
inline constexpr std::uint32_t kReservedBlocks = 8;
// A smaller ring could not hold two batches beside the reserve.
inline constexpr std::uint32_t kMinJournalBlocks = 32;
static_assert(kMinJournalBlocks > kReservedBlocks + kMaxWritesInFlight);

// How far a log has to reach: a position, in an epoch that is not older. A position alone is not
// enough: a lost CUT record leaves a log that is longer than it was, and wrong.
struct LogMark {
  Epoch epoch;
  Position position;

  bool operator==(const LogMark&) const = default;
  bool is_null() const noexcept { return position.is_null(); }
  bool is_reached_by(Epoch log_epoch, Position log_end) const noexcept {
    return log_epoch >= epoch && log_end >= position;
  }
};

// What recovery found, or a new journal's beginning.
struct JournalStart {
  std::uint64_t journal_id = 0;
  std::uint32_t incarnation = 1;  // of this opening; larger than any block's
  std::uint64_t next_sequence = 1;
  std::uint32_t previous_crc = 0;       // of block next_sequence - 1
  std::uint64_t archived_sequence = 0;  // blocks up to here are free
  Position archived;                    // after the last unit of those; null in a new journal
  Epoch archived_data_epoch;            // of that unit
  Epoch epoch;                          // of the last block
  Position end;                         // after the last durable unit; null in a new journal
  Position released;                    // null in a new journal; never after `end`
  // Where the log is known to have reached before blocks were damaged. Until the log reaches it
  // again, this replica has lost bytes that it had ACKed: it must say so, and counts as not
  // inspected. Null when nothing is missing.
  LogMark damaged_until;
};

// What the archive may copy: every block before `sequence`, and the first `units` stream units of
// it. It is sent to the archive thread through a queue, which also publishes the blocks that it
// names.
struct ReleaseMark {
  std::uint64_t sequence = 0;
  std::uint32_t units = 0;
  Position position;
  // The durable end beyond that, for the superblock: recovery takes no damage up to here for a torn
  // write.
  std::uint64_t durable_sequence = 0;
  LogMark durable;

  // Whether the archive has nothing new to do for `other`. The position alone does not tell,
  // because blocks without units have to be freed as well.
  bool covers_same_as(const ReleaseMark& other) const noexcept {
    return sequence == other.sequence && units == other.units;
  }
};

class Journal {
 public:
  // `image`: block_count * kBlockSize bytes, aligned to kBlockSize, filled in by recovery; outlives
  // this. Allocates its side tables here and never afterwards.
  Journal(MutableBytes image, const JournalStart& start);
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // --- receiver side ---
  // Begins at `at` in a journal that holds nothing yet. Asserts that end() is null.
  void begin_at(Position at);
  // Adds stream bytes that begin exactly at end(). Returns false, and adds nothing, when the ring
  // has no room or the journal has failed.
  bool append(Position at, ConstBytes bytes);
  // Adds the end of the file that contains end(); end() becomes {file + 1, 0}. Returns false when
  // there is no room. Asserts that it fits end() and that last_group_end <= final_size; the parser
  // checks these.
  bool append_file_end(const FileEnd& file_end);
  // New blocks carry this epoch, which is larger than epoch(); adds a record block of kind EPOCH.
  // Returns false when there is no room. A new journal has to begin_at() first.
  bool start_epoch(Epoch epoch);
  // Truncates the log to `to` (released_log() <= to <= end_log()) by a record block of kind CUT in
  // `epoch` (>= epoch()). Asserts that the journal is idle(). Returns false when there is no room.
  // The cut takes effect at once here, but survives a crash only when records_durable(): nothing
  // may be ACKed in the new epoch before.
  bool cut(std::uint64_t to, Epoch epoch);

  // --- duty cycle ---
  // The next batch to write: everything appended since the last one (bounded by kMaxBatchBlocks and
  // the ring's end), when fewer than kMaxSmallWrites are in flight, or fewer than
  // kMaxWritesInFlight and it has kBulkBlocks at least. Empty otherwise, and for ever after a
  // failure.
  std::optional<DiskWrite> next_write();
  // A result other than the submitted length is final: failed() from then on, and durable_log()
  // never moves again.
  void on_completion(const DiskCompletion& completion);
  // The source's release mark, as a log offset; clamped to durable_log(), never decreases. Cheap
  // when nothing changes, so it may be called every turn.
  void release(std::uint64_t log_offset);
  // The archive has these blocks on stable storage, so their slots may be reused.
  void on_archived(std::uint64_t sequence);

  // --- marks ---
  std::uint64_t end_log() const noexcept { return table_.end_log(); }  // after the last byte
  std::uint64_t durable_log() const noexcept {
    return BL_MUTANT(ack_before_completion, end_log(), durable_log_);
  }
  std::uint64_t released_log() const noexcept { return released_log_; }
  // The oldest log offset whose bytes are still in the ring; digest() reaches back to here.
  std::uint64_t retained_log() const noexcept { return table_.begin_log(); }
  std::uint64_t archived_log() const noexcept { return table_.log_behind(archived_sequence_); }
  // Digest (base/stream_digest.h) of [from, to), continuing `crc`; retained_log() <= from <= to <=
  // end_log().
  std::uint32_t digest(std::uint64_t from, std::uint64_t to, std::uint32_t crc = 0) const noexcept;
  Position end() const noexcept { return end_; }
  Position durable() const noexcept { return table_.position_of(durable_log_); }
  Position released() const noexcept { return table_.position_of(released_log_); }
  // The position after the unit before `log`; retained_log() <= log <= end_log().
  Position position_of(std::uint64_t log) const noexcept { return table_.position_of(log); }
  // The log offset of a position within [retained, end]; empty for any other.
  std::optional<std::uint64_t> log_of(Position position) const noexcept {
    return table_.log_of(position);
  }
  // What the archive may copy now. Cheap: the lane compares it with the last one it sent.
  const ReleaseMark& release_mark() const noexcept { return mark_; }
  Epoch epoch() const noexcept { return epoch_; }                         // of new blocks
  Epoch data_epoch() const noexcept { return table_.data_epoch(); }       // of the last unit
  std::uint64_t last_sequence() const noexcept { return table_.last(); }  // built so far
  std::uint64_t durable_sequence() const noexcept { return completed_sequence_; }
  // Every record block (EPOCH, CUT) appended so far is durable.
  bool records_durable() const noexcept { return completed_sequence_ >= last_record_sequence_; }
  // No block is open and no write is in flight.
  bool idle() const noexcept {
    return writes_in_flight_ == 0 && submitted_sequence_ == table_.last();
  }
  bool failed() const noexcept { return failure_ != 0; }
  int failure() const noexcept { return failure_; }  // errno, EIO for a short write
  // Blocks that data may still take. The receiver's window is computed from this number, and
  // appending asserts it.
  std::uint32_t free_blocks() const noexcept;
  std::uint32_t block_count() const noexcept { return table_.block_count(); }

  // For JournalCursor, which may read both from the archive thread (see block_table.h).
  const BlockTable& table() const noexcept { return table_; }
  ConstBytes image() const noexcept { return image_; }

 private:
  struct Batch {
    std::uint32_t id = 0;
    std::uint32_t length = 0;  // bytes
    std::uint64_t last_sequence = 0;
    bool completed = false;
  };

  Block& block(std::uint64_t sequence) noexcept;
  const Block& block(std::uint64_t sequence) const noexcept;
  std::uint32_t blocks_in_use() const noexcept {
    const std::uint64_t free_until =
        BL_MUTANT(unarchived_block_reused, completed_sequence_, archived_sequence_);
    return static_cast<std::uint32_t>(table_.last() - free_until);
  }
  void rebuild(const JournalStart& start);
  bool last_is_open(Position at) const noexcept;
  Block& open_block(BlockKind kind, Position at, std::uint32_t units);
  void append_record(BlockKind kind, Position at, ConstBytes payload);
  void finish(std::uint64_t sequence, std::uint16_t batch_index, std::uint16_t batch_count,
              Position released);
  void update_durable();
  void advance_release_mark();

  MutableBytes image_;
  BlockTable table_;
  Position end_;
  std::uint64_t submitted_sequence_ = 0;  // the last block handed out
  std::uint64_t completed_sequence_ = 0;  // the last block of the completed prefix
  std::uint64_t durable_log_ = 0;
  std::uint64_t released_log_ = 0;
  ReleaseMark mark_;  // its block is the first that is not durable or not released as a whole
  std::uint64_t archived_sequence_ = 0;
  std::uint64_t last_record_sequence_ = 0;
  std::uint64_t last_cut_sequence_ = 0;
  std::array<Batch, kMaxWritesInFlight> in_flight_{};  // oldest first
  std::size_t writes_in_flight_ = 0;
  std::uint32_t next_write_id_ = 1;
  std::uint32_t previous_crc_ = 0;
  Epoch epoch_;
  int failure_ = 0;
  std::uint64_t journal_id_;
  std::uint32_t incarnation_;
};

}  // namespace binlane
