// I5: within an epoch a replica's durable position only grows, and it has no holes, also across a
// crash of its process or its machine.

#include <fmt/format.h>

#include "../violation.h"
#include "../world.h"
#include "checks.h"

namespace binlane::sim {

void Checks::check_durable_grows(std::size_t replica) {
  const ReplicaHost& host = *world_.replicas()[replica];
  OfReplica& of = of_[replica];
  if (host.reseeds() != of.reseeds) {
    of = {};
    of.reseeds = host.reseeds();
    of.streams_switched = host.streams_switched();
  }
  if (host.streams_switched() != of.streams_switched) {
    const OfReplica before = of;
    of = {};
    of.reseeds = before.reseeds;
    of.streams_switched = host.streams_switched();
  }
  if (!host.up()) return;
  ++counts_.turns;
  const Journal& journal = *host.journal();
  // Offsets are compared first, because they cost less than positions.
  if (journal.epoch() == of.epoch && journal.durable_log() == of.durable_log &&
      host.openings() == of.openings)
    return;
  // An epoch may begin with a cut. Until the cut's record is durable, the older epoch counts.
  if (journal.epoch() == of.epoch && journal.durable() < of.durable && !host.impaired)
    fail("I5", fmt::format("{} had {} durable in epoch {}.{}, and now {}", host.name(),
                           to_string(of.durable), of.epoch.term, of.epoch.incarnation,
                           to_string(journal.durable())));
  of.openings = host.openings();
  of.durable_log = journal.durable_log();
  of.epoch = journal.epoch();
  of.durable = journal.durable();
}

}  // namespace binlane::sim
