// RuleChange: a change of the quorum rule while the source runs, as far as it can be decided
// without I/O. The source's control thread owns it. [S4]
//
// Enable before disable: from the lane's next turn on a quorum needs both rules. Every session
// records the new one at its replica. The old one may be forgotten once the replicas that have the
// new one on record satisfy both for everything that was acknowledged before both held. The gate's
// quorum mark never decreases and so cannot tell that; it is computed from the replicas' marks.
#pragma once

#include <cstdint>
#include <optional>

#include "dataplane/lane/source_queues.h"
#include "dataplane/session/quorum_rule.h"

namespace binlane {

// Both rules at once; nothing when that has more clauses than a rule can have.
std::optional<QuorumRule> both_rules(const QuorumRule& old_rule, const QuorumRule& new_rule);

class RuleChange {
 public:
  // `both`: of both_rules(), with the number under which the lane shows it.
  explicit RuleChange(const QuorumRule& both) : both_(both) {}

  // Whether the new rule may hold alone. `holders`: the replicas that have it on record, in the
  // running session.
  bool settled(const SourceMarks& marks, ReplicaSet holders);

 private:
  std::uint64_t covered(const SourceMarks& marks, ReplicaSet holders) const;

  const QuorumRule both_;
  // What was acknowledged before both held, once that is known.
  std::optional<std::uint64_t> must_cover_;
};

}  // namespace binlane
