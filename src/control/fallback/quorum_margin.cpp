#include "control/fallback/quorum_margin.h"

#include <algorithm>
#include <bit>

namespace binlane {

int quorum_margin(const QuorumRule& rule, const SourceMarks& marks) {
  ReplicaSet connected = 0;
  for (std::size_t i = 0; i < kMaxReplicas; ++i) {
    if (marks.replicas[i].connected) connected |= ReplicaSet{1} << i;
  }
  if (!rule.satisfied_by(connected)) return -1;
  int margin = static_cast<int>(kMaxReplicas);
  for (std::uint32_t c = 0; c < rule.clause_count; ++c) {
    const QuorumClause& clause = rule.clauses[c];
    margin = std::min(margin,
                      std::popcount(clause.members & connected) - static_cast<int>(clause.count));
  }
  return margin;
}

}  // namespace binlane
