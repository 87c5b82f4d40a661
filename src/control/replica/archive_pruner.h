// ArchivePruner: deletes archived binlog files that nobody needs any more, and tells how much room
// is left.
//
// What may go is decided by storage/archive_retention.h; this lists the files, asks, deletes and
// counts. It runs on the replica's control thread, a few files a turn, because deleting a large
// file takes a file system some milliseconds. view() is for any thread.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "storage/archive_io.h"
#include "storage/archive_retention.h"
#include "storage/journal_meta.h"

namespace binlane {

// Where the files of one stream are.
struct ArchiveFolder {
  std::string directory;
  std::string basename;
};

// Of every stream that a journal knows, the oldest first; the one that it holds is the last.
std::vector<ArchiveFolder> archive_folders(const JournalMeta& meta, const std::string& archive);

// How fast the archive grows, from samples of the bytes that were ever archived. Pure.
class GrowthRate {
 public:
  void sample(std::uint64_t bytes_ever, std::uint64_t now_ns);
  // Bytes a second over the last one or two windows; nothing before the first minute is over.
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
    std::optional<std::uint64_t> free_bytes;  // of the file system
    std::optional<double>
        days_left;  // until it is full at the present growth, if nothing is deleted
    std::uint64_t removed_files = 0;  // since the daemon started, as all counters
    std::uint64_t removed_bytes = 0;
    std::uint64_t failures = 0;
    std::string failure;  // of the last deletion; empty once one succeeds
    RetentionReason kept = RetentionReason::within_limits;
    bool over_limit = false;  // a limit asks for a deletion that is not allowed: `kept` says why
    bool nearly_full = false;
  };

  static constexpr std::uint64_t kTurnNs = 5 * kNanosPerSecond;
  static constexpr std::size_t kRemovalsPerTurn = 8;

  ArchivePruner(const RetentionPolicy& policy, ArchiveIo& io) : io_(io), policy_(policy) {}

  // In force from the next round on. Any thread.
  void set_policy(const RetentionPolicy& policy);

  bool due(std::uint64_t now_ns) const noexcept { return now_ns >= next_ns_; }
  // One round. `streams`: the oldest first, the present one last. `facts`: all but files and room.
  void turn(std::span<const ArchiveFolder> streams, RetentionFacts facts, std::uint64_t now_ns);
  View view() const;

 private:
  RetentionPolicy policy() const;
  void remove(std::span<const ArchiveFolder> streams, const RetentionFacts& facts,
              std::size_t count, View& view);

  ArchiveIo& io_;
  std::uint64_t next_ns_ = 0;
  GrowthRate growth_;
  mutable std::mutex mutex_;
  RetentionPolicy policy_;  // guarded by mutex_
  View view_;               // guarded by mutex_
};

}  // namespace binlane
