// ArchiveEnd: how far the archive's files reach, published by the archive thread for the feed.
// Any thread may read and wait. It never goes back.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "base/position.h"

namespace binlane {

struct ArchiveEnd {
  Position released_bytes;  // every byte before it is stored in the files
  Position whole_groups;    // after the last whole event group in the files; what may be fed (I7)
};

class ArchiveEndWatch {
 public:
  ArchiveEnd end() const;
  Position whole_groups() const { return end().whole_groups; }
  // Waits until whole_groups() > `position` or monotonic_ns() >= `deadline_ns`; returns whether the
  // first is true.
  bool wait_beyond(Position position, std::uint64_t deadline_ns);

  // Archive thread. Each of the two positions keeps its value if the new one is not beyond it.
  void publish(const ArchiveEnd& end);

 private:
  mutable std::mutex mutex_;
  std::condition_variable moved_;
  ArchiveEnd end_;  // guarded by mutex_
};

}  // namespace binlane
