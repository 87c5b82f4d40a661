// StreamMap: the linear coordinate over the binlog files of one incarnation of a source.
//
// The files are laid end to end. A file takes its final size and one unit more, which is the
// statement that it ended. So linear_of({n, final size}) is before that statement and linear_of({n
// + 1, 0}) after it. The origin is the first byte of the file that the map began with. It does not
// change, even when old files are dropped from the front. The last file is open: it has no end yet.
//
// Fixed capacity, allocated at construction; when the map is full the oldest file is dropped.
// Copying allocates (ordinary threads take copies); everything else does not. Owned by the source's
// lane.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/file_end.h"
#include "base/position.h"

namespace binlane {

class StreamMap {
 public:
  static constexpr std::size_t kDefaultCapacity = 4096;

  explicit StreamMap(std::size_t capacity = kDefaultCapacity);

  // Begins anew, with `first_file` open at linear 0.
  void begin(std::uint32_t first_file) noexcept;
  // The open file ended as `end` says, and the next one opens after it. Asserts that it is the open
  // file.
  void end_file(const FileEnd& file_end) noexcept;
  // Forgets the files before `file`, but never the open one.
  void drop_before(std::uint32_t file) noexcept;

  bool empty() const noexcept { return count_ == 0; }
  std::size_t capacity() const noexcept { return entries_.size(); }
  std::uint32_t first_file() const noexcept { return current_file_ - ended_count(); }
  std::uint32_t current_file() const noexcept { return current_file_; }
  // Where the open file begins.
  std::uint64_t current_begin() const noexcept { return entry(ended_count()).begin; }
  // Where the oldest file that is still known begins.
  std::uint64_t front() const noexcept { return entry(0).begin; }
  // Files that were dropped since begin().
  std::uint64_t dropped_count() const noexcept { return dropped_count_; }

  // Nothing for a file that is not known, or an offset after its end.
  std::optional<std::uint64_t> linear_of(Position position) const noexcept;
  // Nothing for what lies before the oldest known file. In the open file any offset is taken.
  std::optional<Position> position_of(std::uint64_t linear) const noexcept;
  // How `file` ended; nothing for the open file and for unknown ones.
  std::optional<FileEnd> end_of(std::uint32_t file) const noexcept;

 private:
  struct Entry {
    std::uint64_t begin = 0;
    FileEnd end;
  };

  bool knows(std::uint32_t file) const noexcept {
    return !empty() && file >= first_file() && file <= current_file_;
  }
  // Files with an end: all but the last.
  std::uint32_t ended_count() const noexcept { return count_ - 1; }
  const Entry& entry(std::uint32_t index) const noexcept {
    return entries_[(front_ + index) % entries_.size()];
  }
  Entry& entry(std::uint32_t index) noexcept {
    return entries_[(front_ + index) % entries_.size()];
  }
  void drop_front() noexcept;

  std::uint32_t current_file_ = 0;
  std::uint32_t count_ = 0;
  std::size_t front_ = 0;
  std::uint64_t dropped_count_ = 0;
  std::vector<Entry> entries_;
};

}  // namespace binlane
