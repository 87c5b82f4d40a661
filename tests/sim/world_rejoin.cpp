// World, the part that has sources of before rejoin: an operator asks, and does what a refusal
// says.

#include "world.h"

namespace binlane::sim {

void World::rebuild_deposed() {
  for (SourceHost* const host : hosts()) {
    if (host->deposed() && !host->rejoining()) host->rejoin({.cut = false, .rebuilt = true});
  }
}

// How the operator has the host rejoin now: as the fault says; without a cut, if the cut was done
// or refused; and with a copy of the new source's data, if the host cannot rejoin as it is.
RejoinOptions World::next_rejoin(const SourceHost& host, const Fault& fault) {
  const RejoinOptions first{.cut = fault.kind == FaultKind::rejoin_cut,
                            .rebuilt = fault.kind == FaultKind::rejoin_rebuilt};
  if (!host.asked_rejoin()) return first;
  const auto& [last, refusal] = *host.asked_rejoin();
  if (last.cut) return {};
  if (last.rebuilt) return first;  // its journal is busy, or its disk fails
  ++promotion_counts_.rejoins_refused;
  if (refusal.find("takes writes still") != std::string::npos) return first;
  return {.cut = false, .rebuilt = true};
}

// Whoever was the source before the one of now; it needs a later promotion, which is asked for when
// there was none.
bool World::rejoin(const Fault& fault) {
  if (!promotion_asked_) return true;
  if (clock_.time_ns < next_rejoin_ns_) return false;
  next_rejoin_ns_ = clock_.time_ns + kAskAgainNs;
  if (const std::uint64_t now = promotion_counts().rejoins; now > rejoins_seen_) {
    rejoins_seen_ = now;
    return true;
  }
  if (!promoted() || promotion_wanted_ || !candidate_->running()) return false;
  for (SourceHost* const each : hosts()) {
    SourceHost& host = *each;
    if (&host == candidate_ || !host.deposed()) continue;
    if (host.rejoining()) return false;
    if (fault.kind != FaultKind::rejoin_rebuilt && !host.own().side().control().successor())
      return false;  // the new source speaks to it soon
    const RejoinOptions options = next_rejoin(host, fault);
    if (options.cut && host.server().up()) host.server().kill();
    // What a cut has left is a server that may start.
    if (!options.cut && !options.rebuilt) host.start_machine();
    host.rejoin(options);
    return false;
  }
  static_cast<void>(begin_later_promotion(fault));
  return false;
}

}  // namespace binlane::sim
