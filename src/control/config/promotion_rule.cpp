#include "control/config/promotion_rule.h"

#include <variant>

#include "control/config/quorum_text.h"

namespace binlane {
namespace {

PromotionRule rule_from(const std::string& text) {
  PromotionRule rule;
  rule.text = text;
  rule.members = names_in_quorum_text(text);
  // A record with more names than there can be replicas is only what somebody sent: no host can
  // fence it.
  if (rule.members.size() > kMaxReplicas) {
    rule.members.clear();
    return rule;
  }
  const auto parsed = parse_quorum_rule(text, rule.members);
  // If a rule cannot be read, nobody knows what satisfies it, so nothing fences it.
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
