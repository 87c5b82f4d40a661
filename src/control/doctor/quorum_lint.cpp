// What a quorum rule tolerates and needs, for `binlane doctor`. [S14]
#include <fmt/format.h>

#include <bit>
#include <set>

#include "control/config/quorum_text.h"
#include "control/doctor/checkup.h"

namespace binlane {
namespace {

// The fewest replicas whose loss makes the rule unsatisfiable: for one clause N - W + 1. A
// promotion has to fence and inspect the same number.
int smallest_fence_set(const QuorumRule& rule) {
  int fewest = static_cast<int>(kMaxReplicas);
  for (std::uint32_t i = 0; i < rule.clause_count; ++i) {
    const QuorumClause& clause = rule.clauses[i];
    fewest = std::min(fewest, std::popcount(clause.members) - static_cast<int>(clause.count) + 1);
  }
  return fewest;
}

// A zone whose loss alone makes the rule unsatisfiable; empty if there is none.
std::string fatal_zone(const SourceConfig& source) {
  std::set<std::string> zones;
  for (const auto& replica : source.replicas) zones.insert(replica.zone);
  zones.erase("");
  for (const std::string& zone : zones) {
    ReplicaSet left = 0;
    for (std::size_t i = 0; i < source.replicas.size(); ++i) {
      if (source.replicas[i].zone != zone) left |= ReplicaSet{1} << i;
    }
    if (!source.quorum.satisfied_by(left)) return zone;
  }
  return {};
}

}  // namespace

Findings check_quorum(const SourceConfig& source) {
  Findings found;
  const std::string rule = to_string(source.quorum, source.replica_names());
  const int fence = smallest_fence_set(source.quorum);
  if (fence <= 1)
    found.push_back({CheckSeverity::warning, "quorum",
                     fmt::format("{}: the loss of one replica leaves no quorum", rule),
                     "add a replica, or ask for fewer"});
  else
    found.push_back({CheckSeverity::fine, "quorum",
                     fmt::format("{} tolerates the loss of any {}; a promotion has to reach {}",
                                 rule, fence - 1, fence),
                     ""});
  const std::string zone = fatal_zone(source);
  if (!zone.empty())
    found.push_back({CheckSeverity::warning, "zones",
                     fmt::format("{}: the loss of zone {} leaves no quorum", rule, zone),
                     "spread the replicas, or ask for fewer from that zone"});
  std::set<std::string> zones;
  bool partly = false;
  for (const auto& replica : source.replicas) {
    partly = partly || replica.zone.empty();
    zones.insert(replica.zone);
  }
  if (partly && zones.size() > 1)
    found.push_back({CheckSeverity::warning, "zones",
                     "some replicas have a zone and some have none", "give all of them a zone"});
  if (source.quorum.level != AckLevel::durable)
    found.push_back({CheckSeverity::warning, "quorum",
                     fmt::format("the level is {}: an acknowledged commit may be lost when hosts "
                                 "lose power together",
                                 to_string(source.quorum.level)),
                     "LEVEL durable"});
  if (source.fallback == FallbackMode::block)
    found.push_back({CheckSeverity::warning, "fallback",
                     "mode block: without a quorum, commits wait up to the server's own timeout",
                     "remember that KILL, shutdown and that timeout release them all the same"});
  return found;
}

}  // namespace binlane
