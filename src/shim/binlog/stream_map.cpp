#include "shim/binlog/stream_map.h"

#include <limits>

#include "base/assert.h"

namespace binlane {

StreamMap::StreamMap(std::size_t capacity) : entries_(capacity) {
  BL_ASSERT(capacity >= 2 && capacity <= std::numeric_limits<std::uint32_t>::max());
}

void StreamMap::begin(std::uint32_t first_file) noexcept {
  BL_ASSERT(first_file > 0);
  current_file_ = first_file;
  count_ = 1;
  front_ = 0;
  dropped_count_ = 0;
  entries_[0] = {};
}

void StreamMap::end_file(const FileEnd& file_end) noexcept {
  BL_ASSERT(!empty() && file_end.file == current_file_);
  BL_ASSERT(file_end.last_group_end <= file_end.final_size);
  if (count_ == entries_.size()) drop_front();
  Entry& ended = entry(ended_count());
  ended.end = file_end;
  ++count_;
  ++current_file_;
  entry(ended_count()) = {ended.begin + file_end.final_size + 1, {}};
  BL_ASSERT(current_begin() > ended.begin);
}

void StreamMap::drop_before(std::uint32_t file) noexcept {
  while (ended_count() > 0 && first_file() < file) drop_front();
}

void StreamMap::drop_front() noexcept {
  BL_ASSERT(count_ > 1);
  front_ = (front_ + 1) % entries_.size();
  --count_;
  ++dropped_count_;
}

std::optional<std::uint64_t> StreamMap::linear_of(Position position) const noexcept {
  if (!knows(position.file)) return std::nullopt;
  const Entry& found = entry(position.file - first_file());
  if (position.file < current_file_ && position.offset > found.end.final_size) return std::nullopt;
  return found.begin + position.offset;
}

std::optional<Position> StreamMap::position_of(std::uint64_t linear) const noexcept {
  if (empty() || linear < front()) return std::nullopt;
  // Most questions are about the open file. Otherwise: the last file that begins at or before it.
  std::uint32_t low = ended_count();
  if (linear < current_begin()) {
    std::uint32_t high = low;
    low = 0;
    while (high - low > 1) {
      const std::uint32_t middle = low + (high - low) / 2;
      (entry(middle).begin <= linear ? low : high) = middle;
    }
  }
  return Position{first_file() + low, linear - entry(low).begin};
}

std::optional<FileEnd> StreamMap::end_of(std::uint32_t file) const noexcept {
  if (!knows(file) || file == current_file_) return std::nullopt;
  return entry(file - first_file()).end;
}

}  // namespace binlane
