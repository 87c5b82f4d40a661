// I7: a replica feeds its server only released bytes, and only whole event groups.

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
  // The archive of a blank journal begins here, and nothing was fed yet.
  const bool begins = of.fed.is_null() && fed.offset == 0;
  of.fed = fed;
  if (begins) return;
  if (between_streams_ || host.stream().origin != origin_) return;
  // A quorum counts even if the server was not told of it, because no daemon ran. It may be one of
  // the previous incarnation, which told this replica.
  if (fed > may_release_ && fed <= durable_at_source() &&
      (satisfied(holders_in_epoch(fed, world_.source().epoch())) ||
       satisfied(holders_in_epoch(fed, host.journal()->epoch()))))
    may_release_ = fed;
  // What a promotion has sealed is released as far as the new rule covers it, and remains so
  // whatever becomes of the candidate. Peers may hear of that before the candidate notices.
  if (sealed() && world_.sealer_checks()->covered(fed)) {
    may_release_ = std::max(may_release_, fed);
    return;
  }
  const Position may = std::max(may_release_, of.may_release);
  if (fed > may)
    fail("I7", fmt::format("{} feeds up to {}, what may be released ends at {}", host.name(),
                           to_string(fed), to_string(may)));
  if (const Commit* const inside = world_.server().around(fed))
    fail("I7", fmt::format("{} feeds up to {}, in the middle of commit {}", host.name(),
                           to_string(fed), inside->id));
}

}  // namespace binlane::sim
