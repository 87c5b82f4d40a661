// ReplicaLane: everything a replica's lane owns.
//
// The lane runs do_work(); attach() once before. Control and archive reach it through its queues.
#pragma once

#include <cstdint>
#include <string_view>

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

  ReplicaLane(AnyPort& port, JournalFile& file, std::uint64_t cluster_id, std::string_view name)
      : journal_(file.image(), file.start()),
        disk_(file),
        cycle_(port, disk_, journal_, clock_, queues_, cluster_id, name) {}

  // Lane's thread.
  void attach() { disk_.attach(); }
  std::size_t do_work() noexcept { return cycle_.do_work(); }
  std::size_t batch() const noexcept { return cycle_.batch(); }

  Queues& queues() noexcept { return queues_; }
  // For the archive, before the lane starts and for its cursor (storage/journal_cursor.h says what
  // that may read).
  Journal& journal() noexcept { return journal_; }
  std::string describe_disk() const { return disk_.describe(); }

 private:
  Journal journal_;
  JournalDisk disk_;
  MonotonicClock clock_;
  Queues queues_;
  Cycle cycle_;
};

}  // namespace binlane
