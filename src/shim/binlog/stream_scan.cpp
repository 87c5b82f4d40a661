#include "shim/binlog/stream_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/error.h"
#include "base/mutant.h"
#include "base/stream_digest.h"
#include "shim/binlog/file_head.h"
#include "shim/binlog/torn_end.h"

namespace binlane {
namespace {

constexpr std::size_t kScanReadSize = std::size_t{1} << 20;

// Feeds the tracker, from where it is, with the file's bytes up to `limit`; returns an errno or 0.
// A fault of the tracker ends it early and is no error here.
int feed_tracker(const BinlogFolder& folder, FileHandle handle, std::uint64_t limit,
                 GroupTracker& tracker, std::vector<std::byte>& buffer) {
  buffer.resize(kScanReadSize);
  while (!tracker.broken() && tracker.end().offset < limit) {
    const std::uint64_t offset = tracker.end().offset;
    const std::uint64_t wanted = std::min<std::uint64_t>(limit - offset, buffer.size());
    const std::int64_t count =
        folder.read_at(handle, offset, {buffer.data(), static_cast<std::size_t>(wanted)});
    if (count < 0) return static_cast<int>(-count);
    if (count == 0) break;
    tracker.on_bytes(offset, {buffer.data(), static_cast<std::size_t>(count)});
  }
  return 0;
}

// True when the file of `size` bytes ends with an event of `type` and `length` that says that it
// ends there.
bool ends_with_event(const BinlogFolder& folder, FileHandle handle, std::uint64_t size,
                     EventType type, std::uint64_t length) {
  if (size < kBinlogMagicSize + length) return false;
  std::byte bytes[kEventHeaderSize];
  if (folder.read_at(handle, size - length, bytes) != std::int64_t{sizeof bytes}) return false;
  const EventHeader header = parse_event_header(bytes);
  return header.type == type && header.length == length &&
         header.end_low == static_cast<std::uint32_t>(size);
}

// True when the file ends with a well-formed Rotate to the next file, or Stop: nothing is torn, and
// it need not be read.
bool ends_whole(const BinlogFolder& folder, FileHandle handle, std::uint32_t number,
                std::uint64_t size) {
  constexpr std::uint64_t kRotatePositionSize = 8;
  const std::uint64_t rotate =
      kEventHeaderSize + kRotatePositionSize + folder.name_size(number + 1);
  for (const std::uint64_t checksum : {kEventChecksumSize, std::size_t{0}}) {
    if (ends_with_event(folder, handle, size, EventType::rotate, rotate + checksum)) return true;
    if (ends_with_event(folder, handle, size, EventType::stop, kEventHeaderSize + checksum))
      return true;
  }
  return false;
}

ScanResult damaged(Position at, std::string what, TrackerFault fault = TrackerFault::none) {
  ScanResult result;
  result.error = EBADMSG;
  result.file = at.file;
  result.fault = fault;
  result.damaged_at = at;
  result.damage = std::move(what);
  return result;
}

// A newest file that cannot be followed. A file that does not even begin as a binlog may be about
// to.
ScanResult broken(const GroupTracker& tracker) {
  ScanResult result =
      damaged(tracker.fault_position(), to_string(tracker.fault()), tracker.fault());
  if (tracker.fault() == TrackerFault::bad_magic || tracker.fault() == TrackerFault::encrypted)
    result.damage.clear();
  return result;
}

ScanResult failed(int error, std::uint32_t file) {
  ScanResult result;
  result.error = error;
  result.file = file;
  return result;
}

// Whether file `number` was made by the run of the server that was writing before it: its format
// description holds no start time. Not if it has no format description, because the server died as
// it made the file.
bool made_by_rotation(const BinlogFolder& folder, std::uint32_t number) {
  const OpenBinlog file(folder, number);
  if (file.error() != 0) return false;
  GroupTracker tracker;
  tracker.start_file(number);
  std::byte bytes[kBinlogMagicSize + kEventHeaderSize + 512];
  while (!tracker.broken() && !tracker.format().seen && tracker.end().offset < sizeof bytes) {
    const std::uint64_t at = tracker.end().offset;
    const std::int64_t count = folder.read_at(
        file.handle(), at, MutableBytes(bytes).subspan(static_cast<std::size_t>(at)));
    if (count <= 0) break;
    tracker.on_bytes(at, ConstBytes(bytes).subspan(static_cast<std::size_t>(at),
                                                   static_cast<std::size_t>(count)));
  }
  return tracker.format().seen && tracker.format().startup_s == 0;
}

// The server has listed the newest file, but the file has no head: it is not there yet.
bool is_there(const BinlogFolder& folder, std::uint32_t newest) {
  const OpenBinlog file(folder, newest);
  if (file.error() != 0) return true;  // the scan says why
  std::byte head[kBinlogMagicSize];
  const std::int64_t count = folder.read_at(file.handle(), 0, head);
  return count < 0 ||
         judge_head(ConstBytes(head).first(static_cast<std::size_t>(count))) != FileHead::absent;
}

// What `tracker`, at the first events of a file, says about where that file continues; empty if it
// follows the previous one. `rotated`: the previous file ended with a Rotate event.
std::string continuity_problem(const GroupTracker& tracker, bool rotated) {
  const bool same_run = rotated && tracker.format().startup_s == 0;
  if (BL_MUTANT(scan_trusts_continuity, true, continues(tracker.continuity(), same_run))) return {};
  return discontinuity_text(tracker);
}

// The end of a file that is not the newest any more. The file is read whole if `tracker` has to
// follow it, otherwise only if it does not end as it should. With `judge`, damage is an error.
ScanResult scan_ended_file(const BinlogFolder& folder, std::uint32_t number, GroupTracker* tracker,
                           bool judge, FileEnd& end, std::vector<std::byte>& buffer) {
  const OpenBinlog file(folder, number);
  if (file.error() != 0) return failed(file.error(), number);
  const std::int64_t size = folder.size(file.handle());
  if (size < 0) return failed(static_cast<int>(-size), number);
  end = {number, static_cast<std::uint64_t>(size), 0, 0};
  std::byte flags{0};
  const std::int64_t count = folder.read_at(file.handle(), kInUseOffset, MutableBytes(&flags, 1));
  if (count < 0) return failed(static_cast<int>(-count), number);
  // The server clears the flag only after it has made the next file.
  const auto ended_flags = static_cast<std::uint8_t>(flags & ~kInUseBit);
  if (tracker == nullptr && ends_whole(folder, file.handle(), number, end.final_size)) {
    end.last_group_end = end.final_size;
    end.flags_byte = ended_flags;
    return {};
  }
  const bool followed = tracker != nullptr;
  const bool rotated = followed && tracker->ending() == FileEnding::rotate;
  GroupTracker alone;
  if (!followed) tracker = &alone;
  tracker->start_file(number);
  const int error = feed_tracker(folder, file.handle(), end.final_size, *tracker, buffer);
  if (error != 0) return failed(error, number);
  if (tracker->fault() == TrackerFault::encrypted) {
    ScanResult encrypted = failed(EBADMSG, number);
    encrypted.fault = tracker->fault();
    return encrypted;
  }
  if (judge) {
    std::string problem = continuity_problem(*tracker, rotated);
    if (!problem.empty()) return damaged({number, kBinlogMagicSize}, std::move(problem));
    problem = torn_end_problem(folder, file.handle(), *tracker, end.final_size,
                               made_by_rotation(folder, number + 1));
    if (BL_MUTANT(scan_takes_damage_for_crash, false, !problem.empty()))
      return damaged(tracker->fault_position(), std::move(problem), tracker->fault());
  }
  end.last_group_end = tracker->last_group_end().offset;
  const bool whole = tracker->ended() && !tracker->broken();
  end.flags_byte = whole ? ended_flags : static_cast<std::uint8_t>(flags);
  return {};
}

}  // namespace

std::string discontinuity_text(const GroupTracker& tracker) {
  // Only one of both has a difference: a server writes either kind of list.
  return "it does not go on where the file before it ends: " +
         continuity_text(tracker.previous_gtid_state().entries(),
                         tracker.first_gtid_state().entries()) +
         tracker.mysql_gtids().difference();
}

std::string scan_text(const ScanResult& result) {
  if (!result.damage.empty())
    return fmt::format("binlog {} is damaged at {}: {}", result.file, to_string(result.damaged_at),
                       result.damage);
  return fmt::format(
      "binlog {} cannot be read: {}", result.file,
      result.fault == TrackerFault::none ? errno_text(result.error) : to_string(result.fault));
}

ScanResult scan_stream(const BinlogFolder& folder, std::uint32_t first, std::uint32_t newest,
                       StreamStart& start, const ScanChecks& checks) {
  BL_ASSERT(first > 0 && first <= newest);
  if (newest > first && !is_there(folder, newest)) --newest;
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
    ScanResult ended = scan_ended_file(folder, number, whole ? &start.tracker : nullptr,
                                       checks.damage, end, buffer);
    if (!ended.ok()) return ended;
    start.map.end_file(end);
  }
  const OpenBinlog file(folder, newest);
  if (file.error() != 0) return failed(file.error(), newest);
  const std::int64_t size = folder.size(file.handle());
  if (size < 0) return failed(static_cast<int>(-size), newest);
  const bool rotated = start.tracker.ending() == FileEnding::rotate;
  start.tracker.start_file(newest);
  const int error =
      feed_tracker(folder, file.handle(), static_cast<std::uint64_t>(size), start.tracker, buffer);
  if (error != 0) return failed(error, newest);
  if (checks.damage) {
    std::string problem = continuity_problem(start.tracker, rotated);
    if (!problem.empty()) return damaged({newest, kBinlogMagicSize}, std::move(problem));
  }
  if (start.tracker.broken()) return broken(start.tracker);
  return result;
}

std::string find_damage(const BinlogFolder& folder, std::uint32_t first, std::uint32_t last,
                        FileEnd& end) {
  BL_ASSERT(first > 0 && first <= last);
  std::vector<std::byte> buffer;
  GroupTracker tracker;
  for (std::uint32_t number = first; number <= last; ++number) {
    const ScanResult result = scan_ended_file(folder, number, &tracker, true, end, buffer);
    if (BL_MUTANT(damage_counted_as_end, false, !result.ok())) return scan_text(result);
  }
  return {};
}

bool follow_to(const BinlogFolder& folder, Position end, GroupTracker& tracker) {
  BL_ASSERT(!end.is_null());
  tracker.start_file(end.file);
  if (end.offset == 0) return true;
  const OpenBinlog file(folder, end.file);
  if (file.error() != 0) return false;
  std::vector<std::byte> buffer;
  return feed_tracker(folder, file.handle(), end.offset, tracker, buffer) == 0 &&
         !tracker.broken() && tracker.end() == end;
}

std::optional<Position> whole_groups_before(const BinlogFolder& folder, Position end) {
  GroupTracker tracker;
  if (!follow_to(folder, end, tracker)) return std::nullopt;
  return tracker.last_group_end();
}

std::optional<std::uint64_t> count_groups(const BinlogFolder& folder, Position from, Position to) {
  BL_ASSERT(!from.is_null() && from <= to);
  std::uint64_t groups = 0;
  std::vector<std::byte> buffer;
  for (std::uint32_t number = from.file; number <= to.file; ++number) {
    if (number == to.file && to.offset == 0) break;
    const OpenBinlog file(folder, number);
    if (file.error() != 0) return std::nullopt;
    const std::int64_t size = folder.size(file.handle());
    if (size < 0) return std::nullopt;
    const std::uint64_t limit = number == to.file ? to.offset : static_cast<std::uint64_t>(size);
    GroupTracker tracker;
    tracker.start_file(number);
    if (number == from.file) {
      if (from.offset > limit) return std::nullopt;
      if (feed_tracker(folder, file.handle(), from.offset, tracker, buffer) != 0)
        return std::nullopt;
    }
    const std::uint64_t before = tracker.group_count();
    if (feed_tracker(folder, file.handle(), limit, tracker, buffer) != 0) return std::nullopt;
    if (number == to.file && (tracker.broken() || tracker.end().offset != limit))
      return std::nullopt;
    // What a crash left at an older file's end is skipped, as its readers do.
    if (number < to.file) {
      const bool rotated = made_by_rotation(folder, number + 1);
      const std::string torn = torn_end_problem(folder, file.handle(), tracker, limit, rotated);
      if (BL_MUTANT(damage_counted_as_end, false, !torn.empty())) return std::nullopt;
    }
    groups += tracker.group_count() - before;
  }
  return groups;
}

}  // namespace binlane
