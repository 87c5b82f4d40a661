// promotion_plan: what a dry run and a fence say, rule by rule.
#include "control/failover/promotion_plan.h"

#include <gtest/gtest.h>

#include <variant>

#include "control/config/quorum_text.h"
#include "control/failover/promotion_answer.h"

namespace binlane {
namespace {

PromotionRule rule_of(const std::string& text) {
  PromotionRule rule;
  rule.text = text;
  rule.members = names_in_quorum_text(text);
  const auto parsed = parse_quorum_rule(text, rule.members);
  if (const auto* const found = std::get_if<QuorumRule>(&parsed)) rule.rule = *found;
  return rule;
}

std::string line_for(const std::string& rule) {
  PromotionLog log;
  log.name = "b";
  log.rules = {rule_of(rule)};
  return promotion_plan(log, 2, {})[1];
}

TEST(PromotionPlan, SaysWhoHasToAnswer) {
  EXPECT_EQ(line_for("ANY 1 (b, c)"),
            "rule ANY 1 (b, c): besides b these have to be fenced and inspected: c");
  EXPECT_EQ(line_for("ANY 2 (b, c)"), "rule ANY 2 (b, c): b alone fences it");
  EXPECT_EQ(line_for("ANY 2 (b, c, d)"),
            "rule ANY 2 (b, c, d): besides b these have to be fenced and inspected: 1 or more of "
            "c, d");
  EXPECT_EQ(line_for("ANY 2 (b, c, d, e)"),
            "rule ANY 2 (b, c, d, e): besides b these have to be fenced and inspected: 2 or more "
            "of c, d, e");
  // A candidate that is not a member of the rule does not help to fence it.
  EXPECT_EQ(line_for("ANY 1 (a, c)"),
            "rule ANY 1 (a, c): besides b these have to be fenced and inspected: a, c");
}

TEST(PromotionPlan, ARuleThatNobodyCanReadIsFencedByNobody) {
  PromotionLog log;
  log.name = "b";
  log.rules.emplace_back().text = "garbled";
  EXPECT_EQ(promotion_plan(log, 2, {})[1], "rule garbled: nobody can fence it");
}

// A rule on record may be any text that a peer has sent: it is reported, and nothing is asserted
// about it.
TEST(PromotionPlan, ARuleOfMoreNamesThanReplicasIsFencedByNobody) {
  PromotionLog log;
  log.name = "b";
  log.rules = promotion_rules({"ANY 1 (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q)"});
  EXPECT_NE(promotion_plan(log, 2, {})[1].find("nobody can fence it"), std::string::npos);
}

TEST(PromotionPlan, NamesTermAndSource) {
  PromotionLog log;
  log.name = "b";
  log.end = {3, 400};
  const auto lines = promotion_plan(log, 7, {"peer c: has not answered"});
  EXPECT_NE(lines[0].find("would bid for term 7"), std::string::npos) << lines[0];
  EXPECT_NE(lines[0].find("up to 3:400"), std::string::npos) << lines[0];
  EXPECT_EQ(lines[1], "peer c: has not answered");
  EXPECT_NE(lines.back().find("nothing was changed"), std::string::npos);
}

TEST(FenceReport, SaysTheTermWhoElseAndTheWayOut) {
  PromotionLog log;
  log.name = "b";
  log.rules = {rule_of("ANY 1 (b, c)")};
  const auto lines = fence_report(log, 4);
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_NE(lines[0].find("b is fenced: it has promised term 4 to nobody"), std::string::npos);
  EXPECT_EQ(lines[2], "rule ANY 1 (b, c): besides b these have to be fenced and inspected: c");
  EXPECT_NE(lines[3].find("binlane promote"), std::string::npos);
}

}  // namespace
}  // namespace binlane
