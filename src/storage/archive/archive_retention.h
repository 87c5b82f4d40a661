// ArchiveRetention: which archived binlog files may be deleted, and why the oldest remaining one is
// kept.
//
// A pure decision: no I/O, no clock. The replica's control thread lists the files, asks, and
// deletes what it is told (control/replica/archive_pruner.h); the simulator does the same.
//
// A file is deleted only if nobody may need it any more, whatever the limits say:
//   * the local server has executed all of it, and no client of the feed still reads it;
//   * every replica in a session with the source holds all of it on stable storage, and the source
//     has said so in the present session;
//   * newer files of at least `keep_for_absent_bytes` are kept, for a replica that is away and that
//     this host has to bring up to date after a promotion;
//   * it is not one of the two newest files of the present stream, whose end handshakes and
//     promotions compare.
// Of the files that pass, those are deleted that are older than `keep_age_s`, those in excess of
// `keep_bytes`, and, while the disk has less than `min_free_bytes` left, the oldest of them all.
// Files are deleted oldest first, so that no gap ever appears in a stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/position.h"

namespace binlane {

struct RetentionPolicy {
  std::uint64_t keep_age_s = 0;             // 0: files have no maximum age
  std::uint64_t keep_bytes = 0;             // 0: the archive has no maximum size
  std::uint64_t keep_for_absent_bytes = 0;  // newest bytes that are always kept
  std::uint64_t min_free_bytes = 0;         // free space on the file system; 0: never checked
};

struct RetainedFile {
  std::size_t stream = 0;  // streams in the order of their terms; the last one is the present one
  std::uint32_t number = 0;
  std::uint64_t size = 0;
  std::uint64_t age_s = 0;  // since it was last written to
};

struct RetentionFacts {
  // Every archived file, the oldest first.
  std::vector<RetainedFile> files;
  // Up to where in the present stream the local server has executed; nothing: the server cannot be
  // asked, or has not answered yet. A server that has executed anything of the present stream has
  // executed all of the earlier ones.
  std::optional<Position> executed;
  // The oldest file of the present stream that a client of the feed reads; nothing: no client reads
  // one.
  std::optional<std::uint32_t> fed;
  // A client of the feed still reads an earlier stream.
  bool sealed_is_fed = false;
  // The source is in a session with this host.
  bool in_session = false;
  // The oldest file of the present stream that some replica in a session does not hold whole; 0:
  // the source has not said.
  std::uint32_t peers_need = 0;
  std::uint64_t free_bytes = 0;  // of the file system
};

// Why the oldest remaining file was not deleted.
enum class RetentionReason : std::uint8_t {
  within_limits,     // no limit asks for more
  newest,            // only files that are always kept are left
  not_executed,      // the local server has not executed it
  executed_unknown,  // nobody can say what the local server has executed
  feed_reads,        // a client of the feed reads it
  no_session,        // without the source nobody knows what the other replicas hold
  peers_unknown,     // the source has not said what the other replicas hold
  peers_need,        // a replica in a session does not hold it
  kept_for_absent    // the newest bytes are kept for replicas that are away
};
// For logs and status.
const char* to_string(RetentionReason reason) noexcept;

struct RetentionPlan {
  std::size_t remove = 0;  // how many files to delete, from the oldest on
  RetentionReason kept = RetentionReason::within_limits;
  std::uint64_t bytes = 0;        // of all files before the plan is carried out
  bool disk_nearly_full = false;  // less than min_free_bytes are left
  // A limit asks for a deletion that `kept` forbids.
  bool over_limit = false;
};

RetentionPlan plan_retention(const RetentionPolicy& policy, const RetentionFacts& facts);

}  // namespace binlane
