// SyncedTracker: tells the lane what of the binlog the source has on stable storage: what the dump
// connection proves, and what we synced ourselves where it proves nothing. [S7]
//
// No I/O, no clock: the caller syncs. Control thread of the source.
#pragma once

#include <cstdint>

#include "dataplane/lane/source_queues.h"
#include "shim/binlog/synced_confirmer.h"

namespace binlane {

// Pace of our own syncs of the binlog while there is no dump connection.
inline constexpr std::uint64_t kOwnSyncNs = 100 * kNanosPerMilli;

class SyncedTracker {
 public:
  void restart(const Position& synced) noexcept {
    confirmer_.restart(synced);
    told_ = {};
  }
  SyncedConfirmer& confirmer() noexcept { return confirmer_; }
  const Position& synced() const noexcept { return confirmer_.synced(); }

  // True: sync the files from synced() to marks.whole_at now, and call synced_ourselves() with
  // these marks if that succeeded. `dump` is null if there is no dump connection.
  bool wants_sync(const SourceMarks& marks, const Position& dump, std::uint64_t now_ns) noexcept;
  // The mark was read before the sync, so all of it is synced. What follows the last whole group is
  // synced as well, but not announced: if the server dies now, its recovery may cut it off. [S6]
  void synced_ourselves(const SourceMarks& marks) noexcept {
    confirmer_.on_own_sync(marks.whole_at);
  }
  // The lane limits it to what it has read, so it is told again until it shows.
  void tell(const SourceMarks& marks, SourceLaneQueues& queues) noexcept;

 private:
  SyncedConfirmer confirmer_;
  Position told_;
  std::uint64_t next_sync_ns_ = 0;
};

}  // namespace binlane
