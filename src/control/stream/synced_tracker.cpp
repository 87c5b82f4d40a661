#include "control/stream/synced_tracker.h"

#include "dataplane/lane/source_lane_proxy.h"

namespace binlane {

bool SyncedTracker::wants_sync(const SourceMarks& marks, const Position& dump,
                               std::uint64_t now_ns) noexcept {
  if (marks.whole_at.is_null()) return false;
  // Without a dump connection nothing else tells what is synced, and the replicas' journals would
  // fill up with what they may not release.
  const bool untold =
      dump.is_null() && confirmer_.synced() < marks.whole_at && now_ns >= next_sync_ns_;
  if (!untold && !confirmer_.needs_own_sync()) return false;
  next_sync_ns_ = now_ns + kOwnSyncNs;
  return confirmer_.own_sync_begin();
}

void SyncedTracker::tell(const SourceMarks& marks, SourceLaneQueues& queues) noexcept {
  const Position synced = confirmer_.synced();
  if (synced == told_ && marks.synced_at >= synced) return;
  if (SourceLaneProxy(queues).set_synced(synced)) told_ = synced;
}

}  // namespace binlane
