// PromotionRule: a quorum rule as it is recorded somewhere, over names, because each host has
// indices of its own. Pure.
#pragma once

#include <string>
#include <vector>

#include "dataplane/session/quorum_rule.h"

namespace binlane {

struct PromotionRule {
  std::string text;  // for people: "ANY 1 (r1, r2)"
  std::vector<std::string> members;
  QuorumRule rule;  // over `members`
};

// Rules from their texts, as journals record them.
std::vector<PromotionRule> promotion_rules(const std::vector<std::string>& texts);

}  // namespace binlane
