// No split ACK: a quorum is never given to two different transactions with one GTID in one stream.

#include <fmt/format.h>

#include "../violation.h"
#include "../world.h"
#include "checks.h"

namespace binlane::sim {

void Checks::check_split_ack(const Commit& commit) {
  if (commit.unsafe) return;
  const auto [found, inserted] = acked_gtids_.emplace(commit.name(), commit.crc);
  if (!inserted) fail("split ACK", fmt::format("GTID {} was acknowledged twice", commit.gtid));
}

}  // namespace binlane::sim
