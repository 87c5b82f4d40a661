#include "shim/stream_scan.h"

#include <fmt/format.h>

#include "base/error.h"

namespace binlane {

std::string discontinuity_text(const GroupTracker& tracker) {
  return "it does not go on where the file before it ends: " +
         continuity_text(tracker.previous_gtid_state().entries(),
                         tracker.first_gtid_state().entries());
}

std::string scan_text(const ScanResult& result) {
  if (!result.damage.empty())
    return fmt::format("binlog {} is damaged at {}: {}", result.file, to_string(result.damaged_at),
                       result.damage);
  return fmt::format(
      "binlog {} cannot be read: {}", result.file,
      result.fault == TrackerFault::none ? errno_text(result.error) : to_string(result.fault));
}

}  // namespace binlane
