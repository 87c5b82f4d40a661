// scan_stream(): reads what a server's binlog files hold at the start of an incarnation, for the
// tailer to go on from, and finds what is damaged in them (safety rule S24). count_groups(): how
// many event groups a part of a stream holds.
//
// Both may read whole files: for ordinary threads only.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/assert.h"
#include "base/canary.h"
#include "base/file_end.h"
#include "base/stream_digest.h"
#include "shim/binlog_files.h"
#include "shim/group_tracker.h"
#include "shim/stream_map.h"
#include "shim/torn_end.h"

namespace binlane {

// Where a tailer begins: all files but the newest with their ends, and the newest one's groups up
// to what was read of it.
struct StreamStart {
  StreamMap map;
  GroupTracker tracker;
};

struct ScanResult {
  int error = 0;           // errno; EBADMSG: see `fault`, or `damage`
  std::uint32_t file = 0;  // where the error was
  TrackerFault fault = TrackerFault::none;
  // Where the files are not what a running or a crashed server leaves behind, and what is there.
  Position damaged_at;
  std::string damage;
  // Older files that the map has no room for; replicas that need them cannot be served.
  std::uint32_t skipped_files = 0;

  bool ok() const noexcept { return error == 0; }
};

// Of a tracker at a file's first events: how that file differs from the end of the one before it.
std::string discontinuity_text(const GroupTracker& tracker);

// "binlog 3 is damaged at 3:988: an event says that it ends elsewhere", for people.
std::string scan_text(const ScanResult& result);

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

inline ScanResult damaged(Position at, std::string what, TrackerFault fault = TrackerFault::none) {
  ScanResult result;
  result.error = EBADMSG;
  result.file = at.file;
  result.fault = fault;
  result.damaged_at = at;
  result.damage = std::move(what);
  return result;
}

// A newest file that cannot be followed. One that does not even begin as a binlog may be about to.
inline ScanResult broken(const GroupTracker& tracker) {
  ScanResult result =
      damaged(tracker.fault_position(), to_string(tracker.fault()), tracker.fault());
  if (tracker.fault() == TrackerFault::bad_magic || tracker.fault() == TrackerFault::encrypted)
    result.damage.clear();
  return result;
}

inline ScanResult failed(int error, std::uint32_t file) {
  ScanResult result;
  result.error = error;
  result.file = file;
  return result;
}

// Whether file `number` was made by the run of the server that was writing before it: its format
// description holds no time of a start. Not when it has none: the server died as it made the file.
template <BinlogFiles Files>
bool made_by_rotation(Files& files, std::uint32_t number) {
  const OpenFile file(files, number);
  if (file.error() != 0) return false;
  GroupTracker tracker;
  tracker.start_file(number);
  std::byte bytes[kBinlogMagicSize + kEventHeaderSize + 512];
  while (!tracker.broken() && !tracker.format().seen && tracker.end().offset < sizeof bytes) {
    const std::uint64_t at = tracker.end().offset;
    const std::int64_t count =
        files.read_at(file.handle(), at, MutableBytes(bytes).subspan(static_cast<std::size_t>(at)));
    if (count <= 0) break;
    tracker.on_bytes(at, ConstBytes(bytes).subspan(static_cast<std::size_t>(at),
                                                   static_cast<std::size_t>(count)));
  }
  return tracker.format().seen && tracker.format().startup_s == 0;
}

// What `tracker`, at the first events of a file, says of where that file goes on; empty when it
// follows the one before it. `rotated`: that one ended with a Rotate event.
inline std::string continuity_problem(const GroupTracker& tracker, bool rotated) {
  const bool same_run = rotated && tracker.format().startup_s == 0;
  if (continues(tracker.continuity(), same_run) || canary(Canary::scan_trusts_continuity))
    return {};
  return discontinuity_text(tracker);
}

// The end of a file that is not the newest any more. The file is read whole when `tracker` is to
// follow it, else only if it does not end as it should. With `judge`, damage is an error.
template <BinlogFiles Files>
ScanResult scan_ended_file(Files& files, std::uint32_t number, GroupTracker* tracker, bool judge,
                           FileEnd& end, std::vector<std::byte>& buffer) {
  const OpenFile file(files, number);
  if (file.error() != 0) return failed(file.error(), number);
  const std::int64_t size = files.size(file.handle());
  if (size < 0) return failed(static_cast<int>(-size), number);
  end = {number, static_cast<std::uint64_t>(size), 0, 0};
  std::byte flags{0};
  const std::int64_t count = files.read_at(file.handle(), kInUseOffset, MutableBytes(&flags, 1));
  if (count < 0) return failed(static_cast<int>(-count), number);
  // The server clears the flag only after it has made the next file.
  const auto ended_flags = static_cast<std::uint8_t>(flags & ~kInUseBit);
  if (tracker == nullptr && ends_whole(files, file.handle(), number, end.final_size)) {
    end.last_group_end = end.final_size;
    end.flags_byte = ended_flags;
    return {};
  }
  const bool followed = tracker != nullptr;
  const bool rotated = followed && tracker->ending() == FileEnding::rotate;
  GroupTracker alone;
  if (!followed) tracker = &alone;
  tracker->start_file(number);
  const int error = feed_tracker(files, file.handle(), end.final_size, *tracker, buffer);
  if (error != 0) return failed(error, number);
  if (tracker->fault() == TrackerFault::encrypted) {
    ScanResult encrypted = failed(EBADMSG, number);
    encrypted.fault = tracker->fault();
    return encrypted;
  }
  if (judge) {
    std::string problem = continuity_problem(*tracker, rotated);
    if (!problem.empty()) return damaged({number, kBinlogMagicSize}, std::move(problem));
    problem = torn_end_problem(files, file.handle(), *tracker, end.final_size,
                               made_by_rotation(files, number + 1));
    if (!problem.empty() && !canary(Canary::scan_takes_damage_for_crash))
      return damaged(tracker->fault_position(), std::move(problem), tracker->fault());
  }
  end.last_group_end = tracker->last_group_end().offset;
  const bool whole = tracker->ended() && !tracker->broken();
  end.flags_byte = whole ? ended_flags : static_cast<std::uint8_t>(flags);
  return {};
}

}  // namespace scan_detail

// What scan_stream() looks for in files that are not the newest. By default: nothing but their
// ends.
struct ScanChecks {
  bool damage = false;
  // With `damage`, from this file on every file is read whole and has to go on where the one before
  // it ended. Of an older one, which an earlier scan has proven, only the end is looked at.
  std::uint32_t whole_from = 0;
};

// Reads the files `first` to `newest`, the newest whole. A newest file that cannot be a binlog is
// an error: the server that tears a file goes on in another one, and then it is not the newest.
template <BinlogFiles Files>
ScanResult scan_stream(Files& files, std::uint32_t first, std::uint32_t newest, StreamStart& start,
                       const ScanChecks& checks = {}) {
  BL_ASSERT(first > 0 && first <= newest);
  ScanResult result;
  if (newest - first >= start.map.capacity()) {
    const auto kept = static_cast<std::uint32_t>(start.map.capacity() - 1);
    result.skipped_files = newest - first - kept;
    first = newest - kept;
  }
  std::vector<std::byte> buffer;
  start.map.begin(first);
  start.tracker = {};
  for (std::uint32_t number = first; number < newest; ++number) {
    FileEnd end;
    const bool whole = checks.damage && number >= checks.whole_from;
    ScanResult ended = scan_detail::scan_ended_file(files, number, whole ? &start.tracker : nullptr,
                                                    checks.damage, end, buffer);
    if (!ended.ok()) return ended;
    start.map.end_file(end);
  }
  const scan_detail::OpenFile file(files, newest);
  if (file.error() != 0) return scan_detail::failed(file.error(), newest);
  const std::int64_t size = files.size(file.handle());
  if (size < 0) return scan_detail::failed(static_cast<int>(-size), newest);
  const bool rotated = start.tracker.ending() == FileEnding::rotate;
  start.tracker.start_file(newest);
  const int error = scan_detail::feed_tracker(
      files, file.handle(), static_cast<std::uint64_t>(size), start.tracker, buffer);
  if (error != 0) return scan_detail::failed(error, newest);
  if (checks.damage) {
    std::string problem = scan_detail::continuity_problem(start.tracker, rotated);
    if (!problem.empty())
      return scan_detail::damaged({newest, kBinlogMagicSize}, std::move(problem));
  }
  if (start.tracker.broken()) return scan_detail::broken(start.tracker);
  return result;
}

// What is damaged in the files `first` to `last`, each read whole; empty when nothing is. The last
// file may end anywhere: `end` says where its whole groups end, and its bytes.
template <BinlogFiles Files>
std::string find_damage(Files& files, std::uint32_t first, std::uint32_t last, FileEnd& end) {
  BL_ASSERT(first > 0 && first <= last);
  std::vector<std::byte> buffer;
  GroupTracker tracker;
  for (std::uint32_t number = first; number <= last; ++number) {
    const ScanResult result =
        scan_detail::scan_ended_file(files, number, &tracker, true, end, buffer);
    if (!result.ok() && !canary(Canary::damage_counted_as_end)) return scan_text(result);
  }
  return {};
}

// Lets `tracker` follow the file that `end` lies in, from its beginning up to there. False when the
// file cannot be read so far, or is no binlog.
template <BinlogFiles Files>
bool follow_to(Files& files, Position end, GroupTracker& tracker) {
  BL_ASSERT(!end.is_null());
  tracker.start_file(end.file);
  if (end.offset == 0) return true;
  const scan_detail::OpenFile file(files, end.file);
  if (file.error() != 0) return false;
  std::vector<std::byte> buffer;
  return scan_detail::feed_tracker(files, file.handle(), end.offset, tracker, buffer) == 0 &&
         !tracker.broken() && tracker.end() == end;
}

// How far whole event groups reach in a stream that ends at `end`, within a group perhaps. Nothing
// when its file cannot be read up to there, or is no binlog.
template <BinlogFiles Files>
std::optional<Position> whole_groups_before(Files& files, Position end) {
  GroupTracker tracker;
  if (!follow_to(files, end, tracker)) return std::nullopt;
  return tracker.last_group_end();
}

// How many event groups end after `from` and not after `to`. Nothing when a file cannot be read up
// to there, is no binlog, or is damaged: what is behind the damage cannot be counted, and it is not
// nothing.
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
    if (number == to.file && (tracker.broken() || tracker.end().offset != limit))
      return std::nullopt;
    // What a crash left at an older file's end is passed over, as its readers do.
    if (number < to.file && !canary(Canary::damage_counted_as_end) &&
        !torn_end_problem(files, file.handle(), tracker, limit,
                          scan_detail::made_by_rotation(files, number + 1))
             .empty())
      return std::nullopt;
    groups += tracker.group_count() - before;
  }
  return groups;
}

}  // namespace binlane
