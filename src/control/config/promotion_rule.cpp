#include "control/promotion_rule.h"

#include <variant>

#include "control/quorum_text.h"

namespace binlane {
namespace {

PromotionRule rule_from(const std::string& text) {
  PromotionRule rule;
  rule.text = text;
  rule.members = names_in_quorum_text(text);
  // More names than there can be replicas are on record as somebody sent them: nobody can fence it.
  if (rule.members.size() > kMaxReplicas) {
    rule.members.clear();
    return rule;
  }
  const auto parsed = parse_quorum_rule(text, rule.members);
  // One that cannot be read is satisfied by nobody knows what: nothing fences it.
  if (const auto* found = std::get_if<QuorumRule>(&parsed)) rule.rule = *found;
  return rule;
}

}  // namespace

std::vector<PromotionRule> promotion_rules(const std::vector<std::string>& texts) {
  std::vector<PromotionRule> rules;
  for (const std::string& text : texts) rules.push_back(rule_from(text));
  return rules;
}

}  // namespace binlane
