// ArchivePruner: deletes archived binlog files that nobody needs any more, and reports the free
// space.
//
// storage/archive/archive_retention.h decides what may be deleted; this class lists the files,
// asks, deletes and counts. It runs on the replica's control thread, a few files in each round,
// because a file system needs some milliseconds to delete a large file. view() is for any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "storage/archive/archive_io.h"
#include "storage/archive/archive_retention.h"
#include "storage/journal/journal_meta.h"

namespace binlane {

// The folder of one stream's archived files.
struct ArchiveFolder {
  std::string directory;
  std::string basename;
};

// The folders of all streams that a journal knows, oldest first; the last one is of the present
// stream.
std::vector<ArchiveFolder> archive_folders(const JournalMeta& meta, const std::string& archive);

// How fast the archive grows, from samples of the number of bytes ever archived. Pure.
class GrowthRate {
 public:
  void sample(std::uint64_t bytes_ever, std::uint64_t now_ns);
  // Bytes per second, over the last one or two hours; nothing during the first minute.
  std::optional<double> bytes_per_second() const noexcept { return rate_; }

 private:
  struct Sample {
    std::uint64_t bytes = 0;
    std::uint64_t at_ns = 0;
  };
  std::optional<Sample> base_;
  std::optional<Sample> next_base_;
  std::optional<double> rate_;
};

class ArchivePruner {
 public:
  struct View {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    std::optional<std::uint64_t> free_bytes;  // of the file system; nothing: unknown
    // Until the file system is full, if the archive grows as now and nothing is deleted.
    std::optional<double> days_left;
    std::uint64_t removed_files = 0;  // like all counters, since the daemon started
    std::uint64_t removed_bytes = 0;
    std::uint64_t failures = 0;  // deletions that failed
    std::string failure;         // of the last deletion; empty after one that succeeded
    RetentionReason kept = RetentionReason::within_limits;
    bool over_limit = false;   // a limit asks for a deletion that `kept` forbids
    bool nearly_full = false;  // less than archive_min_free_mb are free
  };

  static constexpr std::uint64_t kTurnNs = 5 * kNanosPerSecond;
  static constexpr std::size_t kRemovalsPerTurn = 8;

  ArchivePruner(const RetentionPolicy& policy, ArchiveIo& io) : io_(io), policy_(policy) {}

  // Any thread. The next round is due at once.
  void set_policy(const RetentionPolicy& policy);

  bool due(std::uint64_t now_ns) const noexcept {
    return now_ns >= next_ns_.load(std::memory_order_relaxed);
  }
  // One round. `streams`: oldest first, the present one last. `facts`: everything except the files
  // and the free space, which this function adds.
  void turn(std::span<const ArchiveFolder> streams, RetentionFacts facts, std::uint64_t now_ns);
  View view() const;

 private:
  RetentionPolicy policy() const;
  void remove(std::span<const ArchiveFolder> streams, const RetentionFacts& facts,
              std::size_t count, View& view);

  ArchiveIo& io_;
  std::atomic<std::uint64_t> next_ns_{0};
  GrowthRate growth_;
  mutable std::mutex mutex_;
  RetentionPolicy policy_;  // guarded by mutex_
  View view_;               // guarded by mutex_
};

}  // namespace binlane
