// I4: what Binlane releases without a quorum stands in the ledger first; what the server releases
// by itself is found there once all is well again.

#include <fmt/format.h>

#include <algorithm>

#include "../violation.h"
#include "../world.h"
#include "checks.h"

namespace binlane::sim {

void Checks::check_turning_off() {
  ++counts_.releases;
  const Ledger& ledger = *world_.source().ledger();
  if (ledger.open_intervals().empty() || ledger.failed())
    fail("I4", "waiters are released, and the ledger does not know");
}

void Checks::check_ledger() {
  const auto intervals = world_.source().ledger()->list();
  for (const Exposure& exposure : exposures_) {
    const Commit& commit = exposure.commit;
    // A KILL counts as acknowledged at the server; only one while the quorum stands still shows
    // (fallback.h says so).
    if (exposure.killed || exposure.origin != origin_) continue;
    const bool known = std::any_of(intervals.begin(), intervals.end(), [&](const auto& interval) {
      return interval.from < commit.end && (!interval.to || *interval.to >= commit.end);
    });
    if (known) continue;
    std::string listed;
    for (const auto& interval : intervals)
      listed += fmt::format(" {}-{}", to_string(interval.from),
                            interval.to ? to_string(*interval.to) : "");
    fail("I4", fmt::format("commit {} ({}) went without a quorum, and no interval has it:{}",
                           commit.id, to_string(commit.end), listed));
  }
}

}  // namespace binlane::sim
