// scan_stream(): reads what a server's binlog files hold at the start of an incarnation, for the
// tailer to go on from. count_groups(): how many event groups a part of a stream holds.
//
// Both may read whole files: for ordinary threads only.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/assert.h"
#include "base/file_end.h"
#include "base/stream_digest.h"
#include "shim/binlog_files.h"
#include "shim/group_tracker.h"
#include "shim/stream_map.h"

namespace binlane {

// Where a tailer begins: all files but the newest with their ends, and the newest one's groups up
// to what was read of it.
struct StreamStart {
  StreamMap map;
  GroupTracker tracker;
};

struct ScanResult {
  int error = 0;           // errno; EBADMSG: see `fault`
  std::uint32_t file = 0;  // where the error was
  TrackerFault fault = TrackerFault::none;
  // Older files that the map has no room for; replicas that need them cannot be served.
  std::uint32_t skipped_files = 0;

  bool ok() const noexcept { return error == 0; }
};

namespace scan_detail {

inline constexpr std::size_t kScanReadSize = std::size_t{1} << 20;

// A file that is closed when its scope ends.
template <BinlogFiles Files>
class OpenFile {
 public:
  OpenFile(Files& files, std::uint32_t number) : files_(files), handle_(files.open(number)) {}
  ~OpenFile() {
    if (handle_ >= 0) files_.close(handle_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  FileHandle handle() const noexcept { return handle_; }
  int error() const noexcept { return handle_ < 0 ? -handle_ : 0; }

 private:
  Files& files_;
  FileHandle handle_;
};

// Feeds the tracker, from where it is, with the file's bytes up to `limit`; an errno or 0. A fault
// of the tracker ends it early and is no error here.
template <BinlogFiles Files>
int feed_tracker(Files& files, FileHandle handle, std::uint64_t limit, GroupTracker& tracker,
                 std::vector<std::byte>& buffer) {
  buffer.resize(kScanReadSize);
  while (!tracker.broken() && tracker.end().offset < limit) {
    const std::uint64_t offset = tracker.end().offset;
    const std::uint64_t wanted = std::min<std::uint64_t>(limit - offset, buffer.size());
    const std::int64_t count =
        files.read_at(handle, offset, {buffer.data(), static_cast<std::size_t>(wanted)});
    if (count < 0) return static_cast<int>(-count);
    if (count == 0) break;
    tracker.on_bytes(offset, {buffer.data(), static_cast<std::size_t>(count)});
  }
  return 0;
}

// True when the file of `size` bytes ends with an event of `type` and `length` that says that it
// ends there.
template <BinlogFiles Files>
bool ends_with_event(Files& files, FileHandle handle, std::uint64_t size, EventType type,
                     std::uint64_t length) {
  if (size < kBinlogMagicSize + length) return false;
  std::byte bytes[kEventHeaderSize];
  if (files.read_at(handle, size - length, bytes) != std::int64_t{sizeof bytes}) return false;
  const EventHeader header = parse_event_header(bytes);
  return header.type == type && header.length == length &&
         header.end_low == static_cast<std::uint32_t>(size);
}

// True when the file ends with a well-formed Rotate to the next file, or Stop: nothing is torn, and
// it need not be read.
template <BinlogFiles Files>
bool ends_whole(Files& files, FileHandle handle, std::uint32_t number, std::uint64_t size) {
  constexpr std::uint64_t kRotatePositionSize = 8;
  const std::uint64_t rotate = kEventHeaderSize + kRotatePositionSize + files.name_size(number + 1);
  for (const std::uint64_t checksum : {kEventChecksumSize, std::size_t{0}}) {
    if (ends_with_event(files, handle, size, EventType::rotate, rotate + checksum)) return true;
    if (ends_with_event(files, handle, size, EventType::stop, kEventHeaderSize + checksum))
      return true;
  }
  return false;
}

// The end of a file that is not the newest any more.
template <BinlogFiles Files>
ScanResult scan_ended_file(Files& files, std::uint32_t number, FileEnd& end,
                           std::vector<std::byte>& buffer) {
  const OpenFile file(files, number);
  if (file.error() != 0) return {file.error(), number};
  const std::int64_t size = files.size(file.handle());
  if (size < 0) return {static_cast<int>(-size), number};
  end = {number, static_cast<std::uint64_t>(size), 0, 0};
  std::byte flags{0};
  const std::int64_t count = files.read_at(file.handle(), kInUseOffset, MutableBytes(&flags, 1));
  if (count < 0) return {static_cast<int>(-count), number};
  if (ends_whole(files, file.handle(), number, end.final_size)) {
    end.last_group_end = end.final_size;
    // The server clears the flag only after it has made the next file.
    end.flags_byte = static_cast<std::uint8_t>(flags & ~kInUseBit);
    return {};
  }
  GroupTracker tracker;
  tracker.start_file(number);
  const int error = feed_tracker(files, file.handle(), end.final_size, tracker, buffer);
  if (error != 0) return {error, number};
  if (tracker.fault() == TrackerFault::encrypted) return {EBADMSG, number, tracker.fault()};
  end.last_group_end = tracker.last_group_end().offset;
  end.flags_byte = static_cast<std::uint8_t>(flags);
  return {};
}

}  // namespace scan_detail

// Reads the files `first` to `newest`, the newest whole. A newest file that cannot be a binlog is
// an error: the server that tears a file goes on in another one, and then it is not the newest.
template <BinlogFiles Files>
ScanResult scan_stream(Files& files, std::uint32_t first, std::uint32_t newest,
                       StreamStart& start) {
  BL_ASSERT(first > 0 && first <= newest);
  ScanResult result;
  if (newest - first >= start.map.capacity()) {
    const auto kept = static_cast<std::uint32_t>(start.map.capacity() - 1);
    result.skipped_files = newest - first - kept;
    first = newest - kept;
  }
  std::vector<std::byte> buffer;
  start.map.begin(first);
  for (std::uint32_t number = first; number < newest; ++number) {
    FileEnd end;
    const ScanResult ended = scan_detail::scan_ended_file(files, number, end, buffer);
    if (!ended.ok()) return ended;
    start.map.end_file(end);
  }
  const scan_detail::OpenFile file(files, newest);
  if (file.error() != 0) return {file.error(), newest};
  const std::int64_t size = files.size(file.handle());
  if (size < 0) return {static_cast<int>(-size), newest};
  start.tracker = {};
  start.tracker.start_file(newest);
  const int error = scan_detail::feed_tracker(
      files, file.handle(), static_cast<std::uint64_t>(size), start.tracker, buffer);
  if (error != 0) return {error, newest};
  if (start.tracker.broken()) return {EBADMSG, newest, start.tracker.fault()};
  return result;
}

// How many event groups end behind `from` and not behind `to`. Nothing when a file cannot be read
// up to there, or is no binlog.
template <BinlogFiles Files>
std::optional<std::uint64_t> count_groups(Files& files, Position from, Position to) {
  BL_ASSERT(!from.is_null() && from <= to);
  std::uint64_t groups = 0;
  std::vector<std::byte> buffer;
  for (std::uint32_t number = from.file; number <= to.file; ++number) {
    if (number == to.file && to.offset == 0) break;
    const scan_detail::OpenFile file(files, number);
    if (file.error() != 0) return std::nullopt;
    const std::int64_t size = files.size(file.handle());
    if (size < 0) return std::nullopt;
    const std::uint64_t limit = number == to.file ? to.offset : static_cast<std::uint64_t>(size);
    GroupTracker tracker;
    tracker.start_file(number);
    if (number == from.file) {
      if (from.offset > limit) return std::nullopt;
      if (scan_detail::feed_tracker(files, file.handle(), from.offset, tracker, buffer) != 0)
        return std::nullopt;
    }
    const std::uint64_t before = tracker.group_count();
    if (scan_detail::feed_tracker(files, file.handle(), limit, tracker, buffer) != 0)
      return std::nullopt;
    // A torn end of an older file is passed over, as its readers do.
    if (number == to.file && tracker.end().offset != limit) return std::nullopt;
    groups += tracker.group_count() - before;
  }
  return groups;
}

}  // namespace binlane
