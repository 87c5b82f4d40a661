// RuleChange: enable before disable (S4).
#include "control/stream/rule_change.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <variant>
#include <vector>

#include "base/uuid.h"
#include "control/config/quorum_text.h"
#include "dataplane/session/quorum_gate.h"

namespace binlane {
namespace {

constexpr std::uint64_t kNumber = 7;
constexpr std::uint64_t kAcknowledged = 1000;

QuorumRule rule_of(const std::string& text) {
  const std::vector<std::string> names = {"r1", "r2", "r3"};
  return std::get<QuorumRule>(parse_quorum_rule(text, names));
}

QuorumRule changing(const std::string& old_rule, const std::string& new_rule) {
  QuorumRule both = both_rules(rule_of(old_rule), rule_of(new_rule)).value();
  both.number = kNumber;
  return both;
}

// Marks under both rules: every replica is connected, and has that much durable.
SourceMarks marks_of(std::array<std::uint64_t, 3> durable, std::uint64_t quorum = kAcknowledged) {
  SourceMarks marks;
  marks.rule_number = kNumber;
  marks.quorum = quorum;
  for (std::size_t i = 0; i < durable.size(); ++i) {
    marks.replicas[i].connected = true;
    marks.replicas[i].received = marks.replicas[i].durable = durable[i];
  }
  return marks;
}

// What is acknowledged under `rule` when these replicas have 500 bytes durable.
std::uint64_t quorum_of(const QuorumRule& rule, ReplicaSet durable) {
  QuorumGate gate;
  gate.set_rule(rule);
  for (std::size_t i = 0; i < 3; ++i) {
    Uuid own;
    own.bytes[0] = static_cast<std::uint8_t>(i + 1);
    EXPECT_TRUE(gate.connect(i, own));
    if ((durable >> i & 1U) != 0) gate.update(i, 500, 500, 0);
  }
  return gate.quorum();
}

TEST(BothRules, NeitherOneAloneIsEnough) {
  const QuorumRule both = changing("ANY 1 (r1, r2)", "ANY 1 (r3)");
  EXPECT_EQ(quorum_of(both, 0b011), 0U) << "the old rule alone";
  EXPECT_EQ(quorum_of(both, 0b100), 0U) << "the new rule alone";
  EXPECT_EQ(quorum_of(both, 0b101), 500U);
}

TEST(BothRules, TheStricterLevelHolds) {
  EXPECT_EQ(changing("ANY 1 (r1) LEVEL applied", "ANY 1 (r1)").level, AckLevel::applied);
  EXPECT_EQ(changing("ANY 1 (r1)", "ANY 1 (r1) LEVEL received").level, AckLevel::durable);
}

TEST(BothRules, MoreClausesThanARuleCanHaveAreRefused) {
  QuorumRule full = rule_of("ANY 1 (r1)");
  while (full.clause_count < kMaxClauses) full.clauses[full.clause_count++] = full.clauses[0];
  EXPECT_FALSE(both_rules(full, rule_of("ANY 1 (r2)")).has_value());
}

TEST(RuleChange, NothingIsSettledBeforeTheLaneShowsBoth) {
  RuleChange change(changing("ANY 1 (r1, r2, r3)", "ANY 2 (r1, r2, r3)"));
  SourceMarks before = marks_of({kAcknowledged, kAcknowledged, kAcknowledged});
  before.rule_number = kNumber - 1;
  EXPECT_FALSE(change.settled(before, 0b111));
  EXPECT_TRUE(change.settled(marks_of({kAcknowledged, kAcknowledged, kAcknowledged}), 0b111));
}

TEST(RuleChange, OnlyThoseThatHaveTheNewRuleCount) {
  RuleChange change(changing("ANY 1 (r1, r2, r3)", "ANY 2 (r1, r2, r3)"));
  const SourceMarks marks = marks_of({kAcknowledged, kAcknowledged, kAcknowledged});
  EXPECT_FALSE(change.settled(marks, 0b000));
  EXPECT_FALSE(change.settled(marks, 0b001)) << "one of the two that the new rule wants";
  EXPECT_TRUE(change.settled(marks, 0b011));
}

TEST(RuleChange, TheyHaveToHoldAllThatTheOldRuleHadAcknowledged) {
  RuleChange change(changing("ANY 1 (r1, r2, r3)", "ANY 2 (r1, r2, r3)"));
  EXPECT_FALSE(change.settled(marks_of({kAcknowledged, kAcknowledged - 1, 0}), 0b111));
  EXPECT_TRUE(change.settled(marks_of({kAcknowledged, kAcknowledged, 0}), 0b111));
}

TEST(RuleChange, WhatIsAcknowledgedUnderBothIsNotAskedForAgain) {
  RuleChange change(changing("ANY 1 (r1, r2, r3)", "ANY 2 (r1, r2, r3)"));
  EXPECT_FALSE(change.settled(marks_of({kAcknowledged, 0, 0}), 0b111));
  // Commits continue meanwhile: the change must not remain open because they are never all caught
  // up with.
  EXPECT_TRUE(
      change.settled(marks_of({kAcknowledged + 10, kAcknowledged, 0}, kAcknowledged + 10), 0b111));
}

TEST(RuleChange, WhoIsGoneDoesNotCount) {
  RuleChange change(changing("ANY 1 (r1, r2, r3)", "ANY 2 (r1, r2, r3)"));
  SourceMarks marks = marks_of({kAcknowledged, kAcknowledged, 0});
  marks.replicas[1].connected = false;
  EXPECT_FALSE(change.settled(marks, 0b111));
}

}  // namespace
}  // namespace binlane
