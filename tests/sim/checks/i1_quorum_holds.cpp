// I1: what a client saw committed under a quorum is on the platters of a quorum, byte for byte, at
// the moment when the client gets its answer.

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>

#include "../violation.h"
#include "../world.h"
#include "base/crc32c.h"
#include "checks.h"
#include "storage/journal/journal_cursor.h"

namespace binlane::sim {
namespace {

constexpr std::uint64_t kSampledCommits = 12;  // one commit in this many is checked

}  // namespace

void Checks::check_quorum_holds(const Commit& commit) {
  // A rule of another level promises less. [S9]
  if (world_.source().rule_in_force().level != AckLevel::durable) return;
  if (commit.unsafe || !random_.one_in(kSampledCommits)) return;
  ++counts_.quorums;
  const ReplicaSet holders = holders_of(commit);
  if (!satisfied(holders))
    fail("I1", fmt::format("commit {} ({} to {}) was acknowledged, held by the set {:#x}",
                           commit.id, to_string(commit.begin), to_string(commit.end), holders));
}

ReplicaSet Checks::holders_of(const Commit& commit) const {
  ReplicaSet holders = 0;
  for (std::size_t i = 0; i < of_.size(); ++i) {
    const ReplicaHost& replica = *world_.replicas()[i];
    if (holds(replica, commit, origin_) || held_before(replica, commit.end))
      holders |= ReplicaSet{1} << i;
  }
  return holders;
}

// A power cut would leave the synced bytes of the archive, and after these the journal's.
bool Checks::holds(const ReplicaHost& replica, const Commit& commit, const Uuid& origin) const {
  if (replica.impaired) return true;
  if (replica.up() && replica.journal()->durable() < commit.end) return false;
  const JournalMeta meta = replica.stored_meta();
  if (meta.stream.origin != origin) return false;
  const RecoveredJournal found = replica.recover();
  if (!found.refusal.empty() || found.start.end < commit.end) return false;
  // The file was deleted, because the server has executed it and nobody needed it any more.
  if (commit.begin.file < replica.first_kept()) return true;
  std::vector<std::byte> bytes(commit.end.offset - commit.begin.offset);
  std::size_t have = 0;
  const ConstBytes archived = replica.files().durable(replica.archive_path(commit.begin.file));
  const Position border = meta.archived.position;
  if (border > commit.begin) {
    const std::uint64_t end = border.file > commit.end.file
                                  ? commit.end.offset
                                  : std::min(border.offset, commit.end.offset);
    if (archived.size() < end) return false;
    have = end - commit.begin.offset;
    std::memcpy(bytes.data(), archived.data() + commit.begin.offset, have);
  }
  if (have < bytes.size()) {
    const ConstBytes platter = replica.platter();
    auto* const image = static_cast<std::byte*>(std::aligned_alloc(kBlockSize, platter.size()));
    BL_ASSERT(image != nullptr);
    std::memcpy(image, platter.data(), platter.size());
    {
      const Journal journal(MutableBytes(image, platter.size()), found.start);
      ReleaseMark everything;
      everything.sequence = journal.last_sequence() + 1;
      JournalCursor cursor(journal, meta.archived);
      while (const auto chunk = cursor.next(everything)) {
        if (chunk->at.file != commit.begin.file) continue;
        for (std::size_t i = 0; i < chunk->bytes.size(); ++i) {
          const std::uint64_t at = chunk->at.offset + i;
          if (at < commit.begin.offset + have || at >= commit.end.offset) continue;
          bytes[at - commit.begin.offset] = chunk->bytes[i];
          ++have;
        }
      }
    }
    std::free(image);
  }
  return have >= bytes.size() && crc32c(0, bytes) == commit.crc;
}

}  // namespace binlane::sim
