#include "storage/journal/block_table.h"

#include <algorithm>

namespace binlane {

BlockTable::BlockTable(std::uint32_t block_count, std::uint64_t first_sequence, Position base,
                       Epoch base_epoch)
    : entries_(block_count),
      first_(first_sequence),
      last_(first_sequence - 1),
      base_(base),
      base_epoch_(base_epoch) {
  BL_ASSERT(block_count > 0);
  BL_ASSERT(first_sequence > 0);
}

void BlockTable::set_base(Position base) noexcept {
  BL_ASSERT(base_.is_null() && empty() && begin_log() == 0);
  base_ = base;
}

void BlockTable::add(BlockKind kind, Position at, std::uint32_t units, Epoch epoch) noexcept {
  const std::uint64_t log_begin = end_log();
  ++last_;
  if (last_ - first_ == entries_.size()) {
    if (slot(first_).units > 0) base_epoch_ = slot(first_).epoch;
    ++first_;
  }
  slot(last_) = {log_begin, at, units, kind, epoch};
}

void BlockTable::grow_last(std::uint32_t units) noexcept {
  BL_ASSERT(!empty());
  slot(last_).units += units;
}

void BlockTable::cut(std::uint64_t log) noexcept {
  BL_ASSERT(log >= begin_log() && log <= end_log());
  const Position at = position_of(log);
  // Only entries that lose something are written: the archive thread may be reading the others.
  for (std::uint64_t sequence = last_; !empty() && sequence >= first_; --sequence) {
    Entry& entry = slot(sequence);
    if (entry.log_end() <= log) break;
    if (entry.log_begin >= log) {
      entry.log_begin = log;
      entry.at = at;
      entry.units = 0;
    } else {
      entry.units = static_cast<std::uint32_t>(log - entry.log_begin);
    }
  }
  BL_ASSERT(end_log() == log && position_of(log) == at);
}

std::uint64_t BlockTable::log_behind(std::uint64_t sequence) const noexcept {
  if (sequence + 1 == first_) return begin_log();
  return entry(sequence).log_end();
}

std::uint64_t BlockTable::block_holding(std::uint64_t log) const noexcept {
  BL_ASSERT(log >= begin_log() && log < end_log());
  // The last block with log_begin <= log. Blocks without units come before the block that has the
  // unit at their log_begin, so this is the block that holds it.
  std::uint64_t low = first_;
  std::uint64_t high = last_;
  while (low < high) {
    const std::uint64_t middle = low + (high - low + 1) / 2;
    if (entry(middle).log_begin <= log) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  BL_ASSERT(entry(low).log_begin <= log && log < entry(low).log_end());
  return low;
}

Position BlockTable::position_of(std::uint64_t log) const noexcept {
  BL_ASSERT(log >= begin_log() && log <= end_log());
  if (log > begin_log()) {
    const Entry& holder = entry(block_holding(log - 1));
    return position_behind(holder.kind, holder.at, log - holder.log_begin);
  }
  return begin_log() == 0 ? base_ : entry(first_).at;
}

std::optional<std::uint64_t> BlockTable::log_of(Position position) const noexcept {
  if (position.is_null()) return std::nullopt;
  if (position == position_of(begin_log())) return begin_log();
  // Positions grow with the log: find the first block whose end is at or after `position`.
  std::uint64_t low = first_;
  std::uint64_t high = last_ + 1;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    const Entry& candidate = entry(middle);
    if (position_behind(candidate.kind, candidate.at, candidate.units) < position) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low > last_) return std::nullopt;
  const Entry& holder = entry(low);
  if (position == position_behind(holder.kind, holder.at, holder.units)) return holder.log_end();
  if (position.file != holder.at.file || position.offset < holder.at.offset) return std::nullopt;
  if (holder.kind != BlockKind::data) return std::nullopt;  // after the end of a file
  return holder.log_begin + (position.offset - holder.at.offset);
}

Epoch BlockTable::data_epoch() const noexcept {
  if (end_log() == begin_log()) return base_epoch_;
  return entry(block_holding(end_log() - 1)).epoch;
}

}  // namespace binlane
