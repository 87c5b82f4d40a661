// I3: what a source calls a quorum is held by logs of its own epoch. A fenced source, or one whose
// replicas have gone over to a later epoch, completes no quorum.

#include <fmt/format.h>

#include <algorithm>

#include "../violation.h"
#include "../world.h"
#include "checks.h"

namespace binlane::sim {

ReplicaSet Checks::holders_in_epoch(Position position, Epoch epoch) const {
  ReplicaSet holders = 0;
  for (std::size_t i = 0; i < of_.size(); ++i) {
    const ReplicaHost& replica = *world_.replicas()[i];
    const bool up = replica.up();
    const RecoveredJournal found = up ? RecoveredJournal{} : replica.recover();
    const Epoch log_epoch = up ? replica.journal()->epoch() : found.start.epoch;
    const Position durable = up ? replica.journal()->durable() : found.start.end;
    // A candidate's log, and the logs that it has brought to its seal, hold what they held when
    // they were fenced, except for a group that was not whole.
    const bool passed_on =
        sealed() && log_epoch.term > epoch.term && position <= world_.sealer()->log_end();
    const Position wanted = passed_on ? std::min(position, world_.sealer()->sealed_at()) : position;
    const bool counts = log_epoch == epoch || passed_on;
    // A journal that has gone over to another stream has on record how far it held this one. That
    // remains true when the host that sealed this stream has rejoined, and is the sealer no more.
    if ((counts && durable >= wanted && replica.stream().origin == origin_) ||
        held_before(replica, position) ||
        (sealed() && position <= world_.sealer()->log_end() &&
         held_before(replica, std::min(position, world_.sealer()->sealed_at()))))
      holders |= ReplicaSet{1} << i;
  }
  return holders;
}

void Checks::check_epoch(Position position) {
  if (between_streams_ || world_.source().rule_in_force().level != AckLevel::durable) return;
  ++counts_.marks;
  const Epoch epoch = world_.source().epoch();
  const ReplicaSet holders = holders_in_epoch(position, epoch);
  if (!satisfied(holders))
    fail("I3", fmt::format("epoch {}.{} tells of a quorum at {}, held by the set {:#x} in it",
                           epoch.term, epoch.incarnation, to_string(position), holders));
}

}  // namespace binlane::sim
