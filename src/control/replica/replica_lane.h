// ReplicaLane: what a replica's control thread and archive may do with its lane, which runs a
// ReplicaCycle.
//
// Both reach the lane through its queues. Anything else they do only while the lane is quiesced:
// between quiesce() and resume(). ReplicaLaneOver implements this for any port, disk and clock; the
// daemon and the simulator differ only in how the lane becomes quiesced.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/assert.h"
#include "dataplane/lane/replica_cycle.h"
#include "dataplane/lane/replica_lane_proxy.h"
#include "storage/journal/journal.h"
#include "storage/journal/journal_store.h"

namespace binlane {

class ReplicaLane {
 public:
  using Queues = ReplicaLaneQueues<ReleaseMark>;

  ReplicaLane() = default;
  ReplicaLane(const ReplicaLane&) = delete;
  ReplicaLane& operator=(const ReplicaLane&) = delete;
  virtual ~ReplicaLane() = default;

  virtual Queues& queues() noexcept = 0;
  ReplicaLaneProxy<Queues> proxy() noexcept { return ReplicaLaneProxy<Queues>(queues()); }
  // For the archive: before the lane starts, and for its cursor, which may read what
  // storage/journal/journal_cursor.h says.
  virtual Journal& journal() noexcept = 0;

  // Control thread of the replica. Returns true once the lane is quiesced, false if it was not
  // within a second.
  virtual bool quiesce() = 0;
  void resume() noexcept { queues().pause.resume(); }

  // --- while the lane is quiesced
  // Ends the session. No HELLO that was admitted before this begins another.
  virtual void end_session() noexcept = 0;
  // The journal has switched to another stream: makes the lane's Journal anew from `store`.
  virtual void reload(JournalStore& store) = 0;
};

template <Port P, class D, Clock C>
class ReplicaLaneOver : public ReplicaLane {
 public:
  using Cycle = ReplicaCycle<P, D, Journal, C>;

  // Everything given must outlive this object.
  ReplicaLaneOver(P& port, D& disk, C& clock, JournalStore& store, std::uint64_t cluster_id,
                  std::string_view name, const PeerList& sources)
      : journal_(std::in_place, store.image(), store.start()),
        cycle_(port, disk, *journal_, clock, queues_, cluster_id, name, sources) {}

  // Lane's thread; see ReplicaCycle.
  std::size_t do_work() noexcept { return cycle_.do_work(); }
  std::size_t batch() const noexcept { return cycle_.batch(); }

  Queues& queues() noexcept override { return queues_; }
  Journal& journal() noexcept override { return *journal_; }
  bool quiesce() override { return queues_.pause.wait_quiesced(); }

  void end_session() noexcept override {
    BL_ASSERT(queues_.pause.is_quiesced());
    proxy().forget_admitted();
    cycle_.end_session();
  }

  void reload(JournalStore& store) override {
    BL_ASSERT(queues_.pause.is_quiesced() && journal_->idle());
    end_session();
    proxy().forget_archive();
    // In place, because the cycle refers to it.
    journal_.emplace(store.image(), store.start());
    cycle_.forget_archive();
  }

 private:
  std::optional<Journal> journal_;  // always has a value
  Queues queues_;
  Cycle cycle_;
};

}  // namespace binlane
