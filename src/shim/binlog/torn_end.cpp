#include "shim/binlog/torn_end.h"

#include <algorithm>
#include <vector>

namespace binlane {
namespace {

constexpr std::uint32_t kShortestGtidEvent = kEventHeaderSize + 8 + 4 + 1;
constexpr std::uint32_t kLongestGtidEvent = 4096;

bool is_gtid(EventType type) noexcept {
  return type == EventType::gtid || type == EventType::gtid_log ||
         type == EventType::anonymous_gtid_log || type == EventType::gtid_tagged_log;
}

bool begins_group(ConstBytes bytes) noexcept {
  if (bytes.size() < kShortestGtidEvent) return false;
  const EventHeader gtid = parse_event_header(bytes.data());
  if (!is_gtid(gtid.type) || gtid.length < kShortestGtidEvent || gtid.length > kLongestGtidEvent ||
      gtid.end_low == 0 || bytes.size() < gtid.length + kEventHeaderSize)
    return false;
  const EventHeader next = parse_event_header(bytes.data() + gtid.length);
  // MariaDB 11.8 omits the end in the event that follows the GTID event.
  return next.server_id == gtid.server_id && next.type != EventType::unknown &&
         next.length > kEventHeaderSize && next.length <= GroupTracker::kMaxEventLength &&
         (next.end_low == gtid.end_low + next.length || next.end_low == 0);
}

}  // namespace

bool holds_group_begin(ConstBytes bytes, std::size_t begin_before) noexcept {
  for (std::size_t at = 0; at < std::min(begin_before, bytes.size()); ++at) {
    if (begins_group(bytes.subspan(at))) return true;
  }
  return false;
}

namespace {

constexpr std::size_t kReadSize = std::size_t{256} << 10;
// A GTID event and the header after it: the longest that MariaDB 11.8 writes (padded to 4096).
constexpr std::size_t kOverlap = 4096 + kEventHeaderSize;

// All bytes of [from, size) are zeros.
bool only_zeros(const BinlogFolder& folder, FileHandle handle, std::uint64_t from,
                std::uint64_t size) {
  std::vector<std::byte> buffer(kReadSize);
  while (from < size) {
    const std::int64_t count = folder.read_at(handle, from, buffer);
    if (count <= 0) return false;
    const auto length = static_cast<std::size_t>(count);
    const auto end = buffer.begin() + static_cast<std::ptrdiff_t>(length);
    if (std::any_of(buffer.begin(), end, [](std::byte byte) { return byte != std::byte{0}; }))
      return false;
    from += length;
  }
  return true;
}

// [from, size) holds the beginning of an event group; also true if it cannot be read.
bool holds_group(const BinlogFolder& folder, FileHandle handle, std::uint64_t from,
                 std::uint64_t size) {
  std::vector<std::byte> buffer(kReadSize + kOverlap);
  while (from < size) {
    // The buffer is filled, so that one of two reads that share an event sees it whole.
    std::size_t filled = 0;
    while (filled < buffer.size() && from + filled < size) {
      const std::int64_t count =
          folder.read_at(handle, from + filled, MutableBytes(buffer).subspan(filled));
      if (count <= 0) return true;
      filled += static_cast<std::size_t>(count);
    }
    if (holds_group_begin(ConstBytes(buffer).first(filled), kReadSize)) return true;
    from += std::min(filled, kReadSize);
  }
  return false;
}

}  // namespace

std::string torn_end_problem(const BinlogFolder& folder, FileHandle handle,
                             const GroupTracker& tracker, std::uint64_t size, bool same_run) {
  if (tracker.ended() && !tracker.broken()) return {};
  if (tracker.fault() == TrackerFault::bytes_after_end ||
      tracker.fault() == TrackerFault::cut_off_group || tracker.fault() == TrackerFault::encrypted)
    return to_string(tracker.fault());
  if (same_run)
    return std::string(tracker.broken() ? to_string(tracker.fault()) : "the file breaks off") +
           ", and the same run of the server went on in the next file";
  const std::uint64_t from = tracker.last_event_end().offset;
  if (tracker.broken()) {
    // A power cut may leave zeros from any place in an event on.
    const bool header_is_right =
        tracker.fault() == TrackerFault::bad_event || tracker.fault() == TrackerFault::bad_checksum;
    const std::uint64_t length =
        header_is_right ? tracker.event_length() : std::uint64_t{kEventHeaderSize};
    const std::uint64_t zeros = std::min(size, from + length);
    return only_zeros(folder, handle, zeros, size) && !holds_group(folder, handle, from + 1, zeros)
               ? std::string()
               : to_string(tracker.fault());
  }
  // From the end of the event's own header on.
  return holds_group(folder, handle, from + 1, size)
             ? "an event is not whole, and event groups follow it"
             : std::string();
}

}  // namespace binlane
