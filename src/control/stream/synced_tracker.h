// SyncedTeller: has the lane know what of the binlog the source has on stable storage (safety rule
// S7): what the dump connection proves, and what was synced by ourselves where it proves nothing.
//
// No I/O, no clock: the caller syncs. Control thread of the source.
#pragma once

#include <cstdint>

#include "dataplane/source_cycle.h"
#include "shim/synced_confirmer.h"

namespace binlane {

// Pace of our own syncs of the binlog while there is no dump connection.
inline constexpr std::uint64_t kOwnSyncNs = 100 * kNanosPerMilli;

class SyncedTeller {
 public:
  void restart(const Position& synced) noexcept {
    confirmer_.restart(synced);
    told_ = {};
  }
  SyncedConfirmer& confirmer() noexcept { return confirmer_; }
  const Position& synced() const noexcept { return confirmer_.synced(); }

  // True: sync the files from synced() to marks.whole_at now, and call synced_ourselves() with
  // these marks when that went well. `dump` is null where no dump connection stands.
  bool wants_sync(const SourceMarks& marks, const Position& dump, std::uint64_t now_ns) noexcept;
  // The mark was read before the sync, so all of it is synced. What is behind the last whole group
  // is synced as well, and still not announced: a server that dies now may cut it off when it
  // recovers (S6).
  void synced_ourselves(const SourceMarks& marks) noexcept {
    confirmer_.on_own_sync(marks.whole_at);
  }
  // The lane clamps it to what it has read, so it is told again until it shows.
  void tell(const SourceMarks& marks, SourceLaneQueues& queues) noexcept;

 private:
  SyncedConfirmer confirmer_;
  Position told_;
  std::uint64_t next_sync_ns_ = 0;
};

}  // namespace binlane
