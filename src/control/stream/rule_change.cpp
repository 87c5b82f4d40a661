#include "control/stream/rule_change.h"

#include <algorithm>

#include "base/mutant.h"
#include "base/uuid.h"
#include "dataplane/session/quorum_gate.h"

namespace binlane {

std::optional<QuorumRule> both_rules(const QuorumRule& old_rule, const QuorumRule& new_rule) {
  QuorumRule rule = new_rule;
  rule.level = std::max(old_rule.level, new_rule.level);
  for (std::uint32_t i = 0; i < BL_MUTANT(old_rule_dropped, 0U, old_rule.clause_count); ++i) {
    if (rule.clause_count == kMaxClauses) return std::nullopt;
    rule.clauses[rule.clause_count++] = old_rule.clauses[i];
  }
  return rule;
}

bool RuleChange::settled(const SourceMarks& marks, ReplicaSet holders) {
  if (marks.rule_number != both_.number) return false;
  // The first marks under both rules bound what the old one alone has acknowledged.
  if (!must_cover_) must_cover_ = marks.quorum;
  return BL_MUTANT(new_rule_uncovered, true, covered(marks, holders) >= *must_cover_);
}

std::uint64_t RuleChange::covered(const SourceMarks& marks, ReplicaSet holders) const {
  QuorumGate gate;
  gate.set_rule(both_);
  for (std::size_t i = 0; i < kMaxReplicas; ++i) {
    const ReplicaMarks& replica = marks.replicas[i];
    if ((holders >> i & 1U) == 0 || !replica.connected) continue;
    Uuid own;  // the lane has made sure that no journal counts twice
    own.bytes[0] = static_cast<std::uint8_t>(i + 1);
    if (gate.connect(i, own)) gate.update(i, replica.received, replica.durable, replica.applied);
  }
  return gate.quorum();
}

}  // namespace binlane
