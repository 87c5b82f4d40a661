// Tests of quorum rules: their text form.
#include "control/config/quorum_text.h"

#include <gtest/gtest.h>

#include <vector>

namespace binlane {
namespace {

const std::vector<std::string> kNames = {"r1", "r2", "r3", "r4"};

std::string canonical(std::string_view text) {
  const auto parsed = parse_quorum_rule(text, kNames);
  if (const auto* error = std::get_if<QuorumTextError>(&parsed)) return "error: " + error->message;
  return to_string(std::get<QuorumRule>(parsed), kNames);
}

QuorumRule rule(std::string_view text) {
  const auto parsed = parse_quorum_rule(text, kNames);
  const auto* found = std::get_if<QuorumRule>(&parsed);
  EXPECT_NE(found, nullptr) << text;
  return found != nullptr ? *found : QuorumRule{};
}

TEST(QuorumText, PrintsTheCanonicalForm) {
  EXPECT_EQ(canonical("ANY 1 (r1, r2)"), "ANY 1 (r1, r2)");
  EXPECT_EQ(canonical("  any  2(r3,r1 , r2)"), "ANY 2 (r1, r2, r3)");
  EXPECT_EQ(canonical("ANY 1 (r1) LEVEL durable"), "ANY 1 (r1)");
  EXPECT_EQ(canonical("any 1 (r1) level Received"), "ANY 1 (r1) LEVEL received");
  EXPECT_EQ(canonical("ANY 1 (r1, r2) AND ANY 2 (r2, r3, r4)"),
            "ANY 1 (r1, r2) AND ANY 2 (r2, r3, r4)");
}

TEST(QuorumText, CanonicalFormReadsBackAsTheSameRule) {
  for (const char* text : {"ANY 1 (r4)", "ANY 3 (r1, r2, r3, r4) LEVEL applied", "ANY 2 (r2, r1)",
                           "ANY 1 (r1) AND ANY 1 (r2) LEVEL received"}) {
    const QuorumRule once = rule(text);
    EXPECT_TRUE(once == rule(to_string(once, kNames))) << text;
  }
}

TEST(QuorumText, RefusesWhatCannotHold) {
  EXPECT_EQ(canonical("ANY 0 (r1)"),
            "error: a quorum of 0 replicas protects nothing; the number must be 1 or more");
  EXPECT_EQ(canonical("ANY 3 (r1, r2)"),
            "error: ANY 3 can never be satisfied: it lists 2 replicas");
  EXPECT_EQ(canonical("ANY 1 (r1, r1)"), "error: replica 'r1' is listed twice");
  EXPECT_EQ(canonical("ANY 1 (r9)"),
            "error: 'r9' is not a configured replica (known: r1, r2, r3, r4)");
  EXPECT_EQ(canonical("ANY 1 (R1)"),
            "error: 'R1' is not a configured replica (known: r1, r2, r3, r4)");
}

TEST(QuorumText, RefusesGarbageWithThePlaceOfIt) {
  for (const char* text : {"",
                           " ",
                           "ANY",
                           "ANY 1",
                           "ANY 1 (",
                           "ANY 1 ()",
                           "ANY 1 (r1",
                           "ANY 1 (r1,)",
                           "ANY (r1)",
                           "ANY one (r1)",
                           "ANY -1 (r1)",
                           "ANY 1 r1",
                           "ANY 1 (r1) AND",
                           "ANY 1 (r1) LEVEL",
                           "ANY 1 (r1) LEVEL fast",
                           "ANY 1 (r1) extra",
                           "ANY 1 (r1))",
                           "ANY 99999999999 (r1)",
                           "FIRST 1 r1",
                           "FIRST 2 (r1)",
                           "1 FROM EACH zone",
                           "(r1)",
                           "ANY 1 (r1) LEVEL durable AND ANY 1 (r2)"}) {
    const auto parsed = parse_quorum_rule(text, kNames);
    const auto* error = std::get_if<QuorumTextError>(&parsed);
    ASSERT_NE(error, nullptr) << text;
    EXPECT_FALSE(error->message.empty()) << text;
    EXPECT_LE(error->offset, std::string_view(text).size()) << text;
  }
  const auto parsed = parse_quorum_rule("ANY 1 (r1, rr)", kNames);
  EXPECT_EQ(std::get<QuorumTextError>(parsed).offset, 11U);
}

TEST(QuorumText, FirstKeepsItsOrder) {
  EXPECT_EQ(canonical("first 1 (r3, r1)"), "FIRST 1 (r3, r1)");
  EXPECT_EQ(canonical("FIRST 2 (r4, r2, r1) AND ANY 1 (r3)"),
            "FIRST 2 (r4, r2, r1) AND ANY 1 (r3)");
  const QuorumRule once = rule("FIRST 2 (r4, r2, r1)");
  EXPECT_TRUE(once == rule(to_string(once, kNames)));
  EXPECT_FALSE(once == rule("FIRST 2 (r1, r2, r4)"));
  EXPECT_TRUE(once.satisfied_by(0b0011));
  EXPECT_EQ(canonical("FIRST 3 (r1, r2)"),
            "error: FIRST 3 can never be satisfied: it lists 2 replicas");
}

TEST(QuorumText, FromEachZoneIsOneClauseAZone) {
  const std::vector<std::string> zones = {"east", "west", "east", "west"};
  const auto text = [&](std::string_view written, const std::vector<std::string>& of) {
    const auto parsed = parse_quorum_rule(written, kNames, of);
    const auto* error = std::get_if<QuorumTextError>(&parsed);
    return error != nullptr ? "error: " + error->message
                            : to_string(std::get<QuorumRule>(parsed), kNames);
  };
  EXPECT_EQ(text("1 FROM EACH zone", zones), "ANY 1 (r1, r3) AND ANY 1 (r2, r4)");
  EXPECT_EQ(text(" 2 from each ZONE and any 1 (r2) level received", zones),
            "ANY 2 (r1, r3) AND ANY 2 (r2, r4) AND ANY 1 (r2) LEVEL received");
  EXPECT_EQ(text("3 FROM EACH zone", zones),
            "error: 3 FROM EACH zone can never be satisfied: zone 'east' has 2 replicas");
  EXPECT_EQ(text("1 FROM EACH zone", {"east", "", "east", "west"}),
            "error: FROM EACH zone: replica 'r2' has no zone");
}

TEST(QuorumText, BoundsItsInput) {
  std::string long_text = "ANY 1 (r1)";
  for (std::size_t i = 1; i < kMaxClauses; ++i) long_text += " AND ANY 1 (r1)";
  EXPECT_EQ(rule(long_text).clause_count, kMaxClauses);
  EXPECT_EQ(canonical(long_text + " AND ANY 1 (r1)"), "error: more than 8 clauses");
  EXPECT_EQ(canonical(std::string(kMaxQuorumTextLength + 1, ' ')),
            "error: longer than 4096 characters");
  const std::vector<std::string> many(kMaxReplicas + 1, "x");
  EXPECT_TRUE(std::holds_alternative<QuorumTextError>(parse_quorum_rule("ANY 1 (x)", many)));
}

TEST(QuorumText, ClausesHoldMembersAsBits) {
  const QuorumRule parsed = rule("ANY 2 (r1, r2, r3) AND ANY 1 (r4, r2)");
  ASSERT_EQ(parsed.clause_count, 2U);
  EXPECT_EQ(parsed.clauses[0].members, 0b0111U);
  EXPECT_EQ(parsed.clauses[0].count, 2U);
  EXPECT_EQ(parsed.clauses[1].members, 0b1010U);
  EXPECT_EQ(members_of(parsed), 0b1111U);
  EXPECT_FALSE(parsed.satisfied_by(0b0101));
  EXPECT_TRUE(parsed.satisfied_by(0b0011));
}

}  // namespace
}  // namespace binlane
