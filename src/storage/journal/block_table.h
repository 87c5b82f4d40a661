// BlockTable: what the journal knows of each block in its ring in addition to the block itself.
//
// It maps log offsets to blocks and positions. A cut takes effect here: the blocks on disk do not
// change, but their entries lose the units that were cut. Entries follow each other without gaps:
// log_end() of one is log_begin of the next, so log offsets can be searched.
//
// Two threads use it. The replica's lane owns it. The archive thread (JournalCursor) reads entries
// of blocks before a ReleaseMark that reached it through a queue. The lane changes an entry only
// after the released mark, so the entries that the archive thread reads do not change until their
// slots are freed.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/assert.h"
#include "base/epoch.h"
#include "base/position.h"
#include "storage/journal/block.h"

namespace binlane {

class BlockTable {
 public:
  struct Entry {
    std::uint64_t log_begin = 0;
    Position at;              // of the first unit; for blocks without units, the log's end
    std::uint32_t units = 0;  // stream units that still count: less than written after a cut
    BlockKind kind = BlockKind::data;
    Epoch epoch;

    std::uint64_t log_end() const noexcept { return log_begin + units; }
  };

  // An empty table whose first block will be `first_sequence`, at log offset 0 and position `base`
  // (null in a new journal until set_base). `base_epoch` is the epoch of the byte before it.
  BlockTable(std::uint32_t block_count, std::uint64_t first_sequence, Position base,
             Epoch base_epoch);

  // The position of log offset 0, once a new journal knows it.
  void set_base(Position base) noexcept;

  // Adds a block after the last one. It takes the slot of the block one lap before, if there was
  // one; the caller has asserted that this slot is free.
  void add(BlockKind kind, Position at, std::uint32_t units, Epoch epoch) noexcept;
  // Adds `units` to the last block.
  void grow_last(std::uint32_t units) noexcept;
  // Removes everything after `log`.
  void cut(std::uint64_t log) noexcept;

  const Entry& entry(std::uint64_t sequence) const noexcept {
    BL_ASSERT(sequence >= first_ && sequence <= last_);
    return entries_[sequence % entries_.size()];
  }
  // For the archive thread: as entry(), without reading what the lane changes.
  const Entry& released_entry(std::uint64_t sequence) const noexcept {
    return entries_[sequence % entries_.size()];
  }
  bool empty() const noexcept { return last_ < first_; }
  std::uint64_t first() const noexcept { return first_; }  // the oldest block still known
  std::uint64_t last() const noexcept { return last_; }
  std::uint32_t block_count() const noexcept { return static_cast<std::uint32_t>(entries_.size()); }

  std::uint64_t begin_log() const noexcept {
    return empty() ? empty_log_ : entry(first_).log_begin;
  }
  std::uint64_t end_log() const noexcept { return empty() ? empty_log_ : entry(last_).log_end(); }
  // Where the log ends after block `sequence` (first() - 1: before the first).
  std::uint64_t log_behind(std::uint64_t sequence) const noexcept;

  // The block that holds the unit at `log` (begin_log() <= log < end_log()).
  std::uint64_t block_holding(std::uint64_t log) const noexcept;
  // The position after the last unit before `log`; begin_log() <= log <= end_log().
  Position position_of(std::uint64_t log) const noexcept;
  // The log offset of a position that the table knows.
  std::optional<std::uint64_t> log_of(Position position) const noexcept;
  // The epoch of the last unit before end_log().
  Epoch data_epoch() const noexcept;

 private:
  Entry& slot(std::uint64_t sequence) noexcept { return entries_[sequence % entries_.size()]; }

  std::vector<Entry> entries_;
  std::uint64_t first_;
  std::uint64_t last_;
  std::uint64_t empty_log_ = 0;
  Position base_;
  Epoch base_epoch_;
};

// Where the log ends after `units` units that begin at `at` in a block of this kind.
inline Position position_behind(BlockKind kind, Position at, std::uint64_t units) noexcept {
  if (units == 0) return at;
  if (kind == BlockKind::file_end) return {at.file + 1, 0};
  return {at.file, at.offset + units};
}

}  // namespace binlane
