// I6: no byte at or before min(synced, quorum) is ever cut. A cut may go below that mark in two
// cases only: where the log differs from the source's binlog, so that its bytes never were safe;
// and down to a seal that is before half a group which the source never finished, because no client
// was ever told of that [S2].

#include <fmt/format.h>

#include <algorithm>

#include "../violation.h"
#include "../world.h"
#include "base/stream_digest.h"
#include "checks.h"

namespace binlane::sim {

void Checks::check_cut(const FrameView& frame) {
  if (between_streams_) return;
  const auto body = body_as<wire::HelloBody>(frame);
  if (body.phase != static_cast<std::uint8_t>(wire::Phase::start) || body.cut_to == wire::kNoCut)
    return;
  // The source belongs to another stream, which a promotion has begun.
  if (!std::equal(origin_.bytes.begin(), origin_.bytes.end(), body.origin)) return;
  const std::string name(field_text(body.replica_name));
  for (const auto& host : world_.replicas()) {
    if (host->name() != name || !host->up() || host->impaired) continue;
    const Journal& journal = *host->journal();
    const std::uint64_t log = journal.released_log() + body.cut_to;
    if (from_wire(body.start_at) != journal.released() || log >= journal.end_log()) return;
    ++counts_.cuts;
    const Position at = journal.position_of(log);
    world_.trace().note("cut", host->endpoint().ipv4, at.file, at.offset);
    if (at >= safe_ || !world_.binlogs().has(at.file)) return;
    if (world_.sealer() != nullptr && at == world_.sealer()->sealed_at()) {
      const auto& commits = world_.server().commits();
      const bool whole = std::any_of(commits.begin(), commits.end(), [&](const Commit& commit) {
        return commit.end > at && commit.end <= safe_;
      });
      if (!whole) return;
    }
    // Compares the first unit that is cut, in the log and in the source's binlog.
    const std::uint32_t cut_unit = journal.digest(log, log + 1);
    const auto& file = world_.binlogs().file(at.file).data;
    const std::uint32_t true_unit =
        at.offset < file.size() ? digest_bytes(0, at.offset, ConstBytes(file).subspan(at.offset, 1))
                                : digest_file_end(0);
    if (cut_unit == true_unit)
      fail("I6", fmt::format("{} is cut at {}, where it agrees with the source; safe is {}", name,
                             to_string(at), to_string(safe_)));
    return;
  }
}

}  // namespace binlane::sim
