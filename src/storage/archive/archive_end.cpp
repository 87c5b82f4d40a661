#include "storage/archive/archive_end.h"

#include <algorithm>
#include <chrono>

namespace binlane {

ArchiveEnd ArchiveEndWatch::end() const {
  const std::lock_guard lock(mutex_);
  return end_;
}

bool ArchiveEndWatch::wait_beyond(Position position, std::uint64_t deadline_ns) {
  // steady_clock counts the nanoseconds of CLOCK_MONOTONIC, as monotonic_ns() does.
  const std::chrono::steady_clock::time_point deadline{std::chrono::nanoseconds(deadline_ns)};
  std::unique_lock lock(mutex_);
  return moved_.wait_until(lock, deadline, [&] { return end_.whole_groups > position; });
}

void ArchiveEndWatch::publish(const ArchiveEnd& end) {
  {
    const std::lock_guard lock(mutex_);
    end_.released_bytes = std::max(end_.released_bytes, end.released_bytes);
    end_.whole_groups = std::max(end_.whole_groups, end.whole_groups);
  }
  moved_.notify_all();
}

}  // namespace binlane
