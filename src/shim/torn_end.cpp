#include "shim/torn_end.h"

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
  // MariaDB 11.8 leaves the end out of what follows the GTID event.
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

}  // namespace binlane
