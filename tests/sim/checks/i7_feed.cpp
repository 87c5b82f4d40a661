// I7: a replica hands its server only released bytes, and only whole event groups.

#include <fmt/format.h>

#include <algorithm>

#include "../violation.h"
#include "../world.h"
#include "checks.h"

namespace binlane::sim {

void Checks::check_feed(std::size_t replica) {
  const ReplicaHost& host = *world_.replicas()[replica];
  OfReplica& of = of_[replica];
  const Position fed = host.fed();
  if (fed == of.fed) return;
  ++counts_.feeds;
  if (fed < of.fed) fail("I7", fmt::format("{}'s feed goes back", host.name()));
  // Where a blank journal's archive begins: nothing was handed over yet.
  const bool begins = of.fed.is_null() && fed.offset == 0;
  of.fed = fed;
  if (begins) return;
  if (between_streams_ || host.stream().origin != origin_) return;
  // A quorum that the server was not told of, because nobody listened, is one all the same; and it
  // may have been one of the incarnation before, which told this replica.
  if (fed > may_release_ && fed <= durable_at_source() &&
      (satisfied(holders_in_epoch(fed, world_.source().epoch())) ||
       satisfied(holders_in_epoch(fed, host.journal()->epoch()))))
    may_release_ = fed;
  // What a promotion has sealed is released as far as the new rule covers it, and stays so whatever
  // becomes of the candidate; peers may hear of that before the candidate looks.
  if (sealed() && world_.promotion_checks()->covered(fed)) {
    may_release_ = std::max(may_release_, fed);
    return;
  }
  if (fed > may_release_)
    fail("I7", fmt::format("{} feeds up to {}, what may be released ends at {}", host.name(),
                           to_string(fed), to_string(may_release_)));
  if (const Commit* const inside = world_.server().around(fed))
    fail("I7", fmt::format("{} feeds up to {}, in the middle of commit {}", host.name(),
                           to_string(fed), inside->id));
}

}  // namespace binlane::sim
