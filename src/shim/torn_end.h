// How a binlog file may end that has no Rotate or Stop event, and is not the newest (safety rule
// S24): as the crash of its server leaves it. That is a file which is the last of its server's run,
// with an event group that is not whole at its end, or zeros that a power cut left there.
//
// Anything else is damage: the server went on after half of what it wanted to write (MariaDB does,
// when the disk of its binlogs was full and the waiting client was killed), and every reader takes
// what follows for a part of the half event. Whole event groups may then be in the file that no
// replica can be given, and the clients of those were told OK.
//
// Reads the end of a file, bounded by its size: for ordinary threads only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "shim/binlog_files.h"
#include "shim/group_tracker.h"

namespace binlane {

// Whether `bytes` hold the beginning of an event group somewhere: a GTID event and the event after
// it, of the same server, each with the place where it ends. Half an event holds no such thing.
// What begins at or after `begin_before` is not looked at.
bool holds_group_begin(ConstBytes bytes, std::size_t begin_before) noexcept;

namespace torn_end_detail {

inline constexpr std::size_t kReadSize = std::size_t{256} << 10;
// A GTID event and the header after it: the longest that MariaDB 11.8 writes (padded to 4096).
inline constexpr std::size_t kOverlap = 4096 + kEventHeaderSize;
inline constexpr const char* kUnreadable = "the end of the file cannot be read";

// All bytes of [from, size) are zeros.
template <BinlogFiles Files>
bool only_zeros(Files& files, FileHandle handle, std::uint64_t from, std::uint64_t size) {
  std::vector<std::byte> buffer(kReadSize);
  while (from < size) {
    const std::int64_t count = files.read_at(handle, from, buffer);
    if (count <= 0) return false;
    const auto length = static_cast<std::size_t>(count);
    const auto end = buffer.begin() + static_cast<std::ptrdiff_t>(length);
    if (std::any_of(buffer.begin(), end, [](std::byte byte) { return byte != std::byte{0}; }))
      return false;
    from += length;
  }
  return true;
}

// [from, size) holds the beginning of an event group; also when it cannot be read.
template <BinlogFiles Files>
bool holds_group(Files& files, FileHandle handle, std::uint64_t from, std::uint64_t size) {
  std::vector<std::byte> buffer(kReadSize + kOverlap);
  while (from < size) {
    // Filled, so that an event that two reads share is seen whole by one of them.
    std::size_t filled = 0;
    while (filled < buffer.size() && from + filled < size) {
      const std::int64_t count =
          files.read_at(handle, from + filled, MutableBytes(buffer).subspan(filled));
      if (count <= 0) return true;
      filled += static_cast<std::size_t>(count);
    }
    if (holds_group_begin(ConstBytes(buffer).first(filled), kReadSize)) return true;
    from += std::min(filled, kReadSize);
  }
  return false;
}

}  // namespace torn_end_detail

// Why the file that `tracker` has followed to its end, `size`, is damaged; empty when it ends as it
// should, or as a crash leaves it. `same_run`: the next file was made by the same run of the
// server.
template <BinlogFiles Files>
std::string torn_end_problem(Files& files, FileHandle handle, const GroupTracker& tracker,
                             std::uint64_t size, bool same_run) {
  using namespace torn_end_detail;
  if (tracker.ended() && !tracker.broken()) return {};
  if (tracker.fault() == TrackerFault::bytes_after_end ||
      tracker.fault() == TrackerFault::cut_off_group || tracker.fault() == TrackerFault::encrypted)
    return to_string(tracker.fault());
  if (same_run)
    return std::string(tracker.broken() ? to_string(tracker.fault()) : "the file breaks off") +
           ", and the same run of the server went on in the next file";
  const std::uint64_t from = tracker.last_event_end().offset;
  if (tracker.broken()) {
    // A power cut may leave zeros from anywhere in an event on.
    const bool header_is_right =
        tracker.fault() == TrackerFault::bad_event || tracker.fault() == TrackerFault::bad_checksum;
    const std::uint64_t length =
        header_is_right ? tracker.event_length() : std::uint64_t{kEventHeaderSize};
    const std::uint64_t zeros = std::min(size, from + length);
    return only_zeros(files, handle, zeros, size) && !holds_group(files, handle, from + 1, zeros)
               ? std::string()
               : to_string(tracker.fault());
  }
  // From behind the event's own header on.
  return holds_group(files, handle, from + 1, size)
             ? "an event is not whole, and event groups follow it"
             : std::string();
}

}  // namespace binlane
