#include "storage/archive/archive_retention.h"

#include <numeric>

#include "base/assert.h"
#include "base/mutant.h"

namespace binlane {
namespace {

// The newest files of the present stream are always kept: a handshake's digest of the archive ends
// in the newest one, or in the one before it if that end is the beginning of a file.
constexpr std::size_t kNewestKept = 2;

// Why nobody may delete `file`, or within_limits.
RetentionReason forbidden(const RetentionPolicy& policy, const RetentionFacts& facts,
                          const RetainedFile& file, std::size_t newer_files,
                          std::uint64_t newer_bytes, bool nearly_full) {
  const bool present = file.stream == facts.files.back().stream;
  if (present && newer_files < kNewestKept) return RetentionReason::newest;
  if (!facts.executed) return RetentionReason::executed_unknown;
  if (BL_MUTANT(unexecuted_file_deleted, false, present && file.number >= facts.executed->file))
    return RetentionReason::not_executed;
  if (present ? facts.fed && file.number >= *facts.fed : facts.sealed_is_fed)
    return RetentionReason::feed_reads;
  // A full disk stops the journal in the end, and with it commits. In this case all absent replicas
  // have to share the bytes that are kept for them.
  if (!nearly_full) {
    if (!facts.in_session) return RetentionReason::no_session;
    if (facts.peers_need == 0) return RetentionReason::peers_unknown;
  }
  if (BL_MUTANT(
          needed_file_deleted, false,
          present && facts.in_session && facts.peers_need != 0 && file.number >= facts.peers_need))
    return RetentionReason::peers_need;
  if (newer_bytes < policy.keep_for_absent_bytes) return RetentionReason::kept_for_absent;
  return RetentionReason::within_limits;
}

}  // namespace

const char* to_string(RetentionReason reason) noexcept {
  switch (reason) {
    case RetentionReason::within_limits:
      return "no limit asks for more";
    case RetentionReason::newest:
      return "only the newest files are left";
    case RetentionReason::not_executed:
      return "the local server has not executed it";
    case RetentionReason::executed_unknown:
      return "it is not known what the local server has executed: the server is down, or cannot be "
             "asked (server_socket of [replica], or of [source])";
    case RetentionReason::feed_reads:
      return "a client of the feed reads it";
    case RetentionReason::no_session:
      return "no source is in a session with this host, so nobody knows what other replicas hold";
    case RetentionReason::peers_unknown:
      return "the source has not said what other replicas hold";
    case RetentionReason::peers_need:
      return "a connected replica does not hold it yet";
    case RetentionReason::kept_for_absent:
      return "archive_keep_for_absent_mb keeps it for replicas that are away";
  }
  return "?";
}

RetentionPlan plan_retention(const RetentionPolicy& policy, const RetentionFacts& facts) {
  RetentionPlan plan;
  plan.bytes =
      std::accumulate(facts.files.begin(), facts.files.end(), std::uint64_t{0},
                      [](std::uint64_t sum, const RetainedFile& file) { return sum + file.size; });
  plan.disk_nearly_full = facts.free_bytes < policy.min_free_bytes;
  std::uint64_t free = facts.free_bytes;
  std::uint64_t left = plan.bytes;
  for (std::size_t i = 0; i < facts.files.size(); ++i) {
    const RetainedFile& file = facts.files[i];
    BL_ASSERT(
        i == 0 || facts.files[i - 1].stream < file.stream ||
        (facts.files[i - 1].stream == file.stream && facts.files[i - 1].number < file.number));
    const bool nearly_full = free < policy.min_free_bytes;
    const bool too_old = policy.keep_age_s != 0 && file.age_s > policy.keep_age_s;
    const bool too_large = policy.keep_bytes != 0 && left > policy.keep_bytes;
    plan.kept = RetentionReason::within_limits;
    if (!too_old && !too_large && !nearly_full) return plan;
    const std::size_t newer_files = facts.files.size() - i - 1;
    plan.kept = forbidden(policy, facts, file, newer_files, left - file.size, nearly_full);
    plan.over_limit = plan.kept != RetentionReason::within_limits;
    if (plan.over_limit) return plan;
    left -= file.size;
    free += file.size;
    ++plan.remove;
  }
  plan.kept = RetentionReason::newest;
  return plan;
}

}  // namespace binlane
