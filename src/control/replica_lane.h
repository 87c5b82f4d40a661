// ReplicaLane: everything a replica's lane owns.
//
// The lane runs do_work(); attach() once before. Control and archive reach it through its queues.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "dataplane/any_port.h"
#include "dataplane/replica_cycle.h"
#include "storage/journal.h"
#include "storage/journal_disk.h"
#include "storage/journal_file.h"

namespace binlane {

class ReplicaLane {
 public:
  using Cycle = ReplicaCycle<AnyPort, JournalDisk, Journal, MonotonicClock>;
  using Queues = Cycle::Queues;

  ReplicaLane(AnyPort& port, JournalFile& file, std::uint64_t cluster_id, std::string_view name,
              const PeerList& sources)
      : journal_(std::in_place, file.image(), file.start()),
        disk_(file),
        cycle_(port, disk_, *journal_, clock_, queues_, cluster_id, name, sources) {}

  // Lane's thread.
  void attach() { disk_.attach(); }
  std::size_t do_work() noexcept { return cycle_.do_work(); }
  std::size_t batch() const noexcept { return cycle_.batch(); }
  bool wait(std::uint64_t length_ns) noexcept {
    if (journal_->idle()) return false;
    disk_.wait(length_ns);
    return true;
  }

  Queues& queues() noexcept { return queues_; }
  // For the archive, before the lane starts and for its cursor (storage/journal_cursor.h says what
  // that may read).
  Journal& journal() noexcept { return *journal_; }

  // Control thread of the replica: the lane stands still when it returns true; false when it did
  // not come to it within a second. Everything below is for then.
  bool stand_still() { return queues_.pause.wait_standing(); }
  void go_on() noexcept { queues_.pause.resume(); }
  // Whoever was the source is so no more: its session is over, and nothing that was agreed on with
  // it begins another.
  void end_session() noexcept {
    AdmittedHello admitted;
    while (queues_.admitted.try_pop(admitted)) {
    }
    cycle_.end_session();
  }
  // The journal's file went over to another stream.
  void rebuild(JournalFile& file) {
    end_session();
    ReleaseMark mark;
    while (queues_.released.try_pop(mark)) {
    }
    std::uint64_t sequence = 0;
    while (queues_.archived.try_pop(sequence)) {
    }
    // In place, since the cycle holds on to it.
    journal_.emplace(file.image(), file.start());
    queues_.applied_log.store(0, std::memory_order_relaxed);
    cycle_.forget_archive();
  }
  std::string describe_disk() const { return disk_.describe(); }

 private:
  std::optional<Journal> journal_;  // always there
  JournalDisk disk_;
  MonotonicClock clock_;
  Queues queues_;
  Cycle cycle_;
};

}  // namespace binlane
