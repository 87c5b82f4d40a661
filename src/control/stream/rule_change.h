// RuleChange: a change of the quorum rule while the source runs, as far as it can be decided
// without I/O (safety rule S4). The source's control thread owns it.
//
// Enable before disable: from the lane's next turn on a quorum needs both rules. Every session puts
// the new one on its replica's record. The old one may be forgotten once those that have the new
// one on record satisfy both for everything that was acknowledged before both held; the gate's
// quorum mark, which never decreases, cannot tell that, so it is worked out from their marks.
#pragma once

#include <cstdint>
#include <optional>

#include "dataplane/quorum_rule.h"
#include "dataplane/source_cycle.h"

namespace binlane {

// Both rules at once; nothing when that has more clauses than a rule can have.
std::optional<QuorumRule> both_rules(const QuorumRule& old_rule, const QuorumRule& new_rule);

class RuleChange {
 public:
  // `both`: of both_rules(), with the number under which the lane shows it.
  explicit RuleChange(const QuorumRule& both) : both_(both) {}

  // Whether the new rule may stand alone. `holders`: who has it on record, in the session that
  // runs.
  bool settled(const SourceMarks& marks, ReplicaSet holders);

 private:
  std::uint64_t covered(const SourceMarks& marks, ReplicaSet holders) const;

  const QuorumRule both_;
  // What was acknowledged before both held, once that is known.
  std::optional<std::uint64_t> must_cover_;
};

}  // namespace binlane
