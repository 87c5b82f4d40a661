// QuorumGate and QuorumRule against a brute-force reading of their definition.
#include "dataplane/session/quorum_gate.h"

#include <gtest/gtest.h>

#include <bit>
#include <random>

namespace binlane {
namespace {

QuorumRule any(std::uint32_t count, ReplicaSet members, AckLevel level = AckLevel::durable) {
  QuorumRule rule;
  rule.number = 1;
  rule.level = level;
  rule.clause_count = 1;
  rule.clauses[0] = {members, count};
  return rule;
}

Uuid journal(std::uint8_t number) {
  Uuid uuid;
  uuid.bytes[0] = number;
  uuid.bytes[15] = 0xaa;
  return uuid;
}

struct Gate : QuorumGate {
  explicit Gate(const QuorumRule& rule) { set_rule(rule); }
  void join(std::size_t index, std::uint64_t durable) {
    ASSERT_TRUE(connect(index, journal(static_cast<std::uint8_t>(index))));
    update(index, durable, durable, 0);
  }
};

TEST(QuorumRule, NeedsEveryClause) {
  QuorumRule rule = any(1, 0b0011);
  rule.clause_count = 2;
  rule.clauses[1] = {0b1100, 1};
  EXPECT_FALSE(rule.satisfied_by(0b0011));
  EXPECT_FALSE(rule.satisfied_by(0b1100));
  EXPECT_TRUE(rule.satisfied_by(0b0101));
}

TEST(QuorumRule, NoRuleIsSatisfiedByNothing) {
  EXPECT_FALSE(QuorumRule{}.satisfied_by(~ReplicaSet{0}));
}

// By definition: shares a member with every satisfying set.
bool intersects_every_satisfying_set(const QuorumRule& rule, ReplicaSet set, ReplicaSet all) {
  for (ReplicaSet other = 0; other <= all; ++other) {
    if (rule.satisfied_by(other) && (other & set) == 0) return false;
  }
  return true;
}

TEST(QuorumRule, FenceSetOfAnyIsAllButWPlusOne) {
  for (std::uint32_t members = 1; members <= 6; ++members) {
    const ReplicaSet all = (ReplicaSet{1} << members) - 1;
    for (std::uint32_t count = 1; count <= members; ++count) {
      const QuorumRule rule = any(count, all);
      for (ReplicaSet set = 0; set <= all; ++set) {
        const auto size = static_cast<std::uint32_t>(std::popcount(set));
        EXPECT_EQ(rule.is_fence_set(set), size >= members - count + 1) << count << " " << set;
      }
    }
  }
}

TEST(QuorumRule, FenceSetOfSeveralClausesNeedsToBreakOne) {
  // Two zones: ANY 1 (a, b) AND ANY 2 (c, d, e).
  QuorumRule zones = any(1, 0b00011);
  zones.clause_count = 2;
  zones.clauses[1] = {0b11100, 2};
  EXPECT_TRUE(zones.is_fence_set(0b00011));
  EXPECT_TRUE(zones.is_fence_set(0b01100));
  EXPECT_FALSE(zones.is_fence_set(0b00101));
  // Overlapping clauses as well, against the definition.
  QuorumRule overlapping = any(2, 0b00111);
  overlapping.clause_count = 2;
  overlapping.clauses[1] = {0b11100, 1};
  for (const QuorumRule& rule : {zones, overlapping}) {
    for (ReplicaSet set = 0; set < 32; ++set)
      EXPECT_EQ(rule.is_fence_set(set), intersects_every_satisfying_set(rule, set, 31)) << set;
  }
}

TEST(QuorumRule, NothingFencesAnUnknownRule) {
  EXPECT_FALSE(QuorumRule{}.is_fence_set(~ReplicaSet{0}));
}

TEST(QuorumGate, AnyOneTakesTheFastest) {
  Gate gate(any(1, 0b111));
  gate.join(0, 10);
  gate.join(1, 30);
  gate.join(2, 20);
  EXPECT_EQ(gate.quorum(), 30U);
}

TEST(QuorumGate, AnyTwoTakesTheSecond) {
  Gate gate(any(2, 0b111));
  gate.join(0, 10);
  EXPECT_EQ(gate.quorum(), 0U);
  EXPECT_FALSE(gate.satisfiable());
  gate.join(1, 30);
  EXPECT_EQ(gate.quorum(), 10U);
  gate.join(2, 20);
  EXPECT_EQ(gate.quorum(), 20U);
}

TEST(QuorumGate, NonMembersDoNotCount) {
  Gate gate(any(1, 0b10));
  gate.join(0, 100);
  EXPECT_EQ(gate.quorum(), 0U);
  EXPECT_FALSE(gate.satisfiable());
}

TEST(QuorumGate, NeverDecreasesWhenTheReplicaThatCarriedItIsLost) {
  Gate gate(any(1, 0b11));
  gate.join(0, 50);
  gate.disconnect(0);
  gate.join(1, 20);
  EXPECT_EQ(gate.quorum(), 50U);
  gate.update(1, 60, 60, 0);
  EXPECT_EQ(gate.quorum(), 60U);
}

TEST(QuorumGate, MarksOfALostSessionAreForgotten) {
  Gate gate(any(2, 0b11));
  gate.join(0, 50);
  gate.disconnect(0);
  gate.join(1, 40);
  EXPECT_EQ(gate.quorum(), 0U);  // never both at once
  gate.join(0, 5);               // and it comes back with less than it had
  EXPECT_EQ(gate.quorum(), 5U);
}

TEST(QuorumGate, OneJournalCountsOnce) {
  QuorumGate gate;
  gate.set_rule(any(2, 0b11));
  ASSERT_TRUE(gate.connect(0, journal(9)));
  EXPECT_FALSE(gate.connect(1, journal(9)));
  gate.update(0, 10, 10, 0);
  EXPECT_EQ(gate.quorum(), 0U);
  EXPECT_EQ(gate.connected(), 0b01U);
  // Once the first is gone the journal may come in under the other name.
  gate.disconnect(0);
  EXPECT_TRUE(gate.connect(1, journal(9)));
}

TEST(QuorumGate, AReplicaMayReconnectWithoutADisconnect) {
  Gate gate(any(1, 0b1));
  gate.join(0, 10);
  EXPECT_TRUE(gate.connect(0, journal(0)));
  gate.update(0, 4, 4, 0);
  EXPECT_EQ(gate.quorum(), 10U);
}

TEST(QuorumGate, AnExcludedReplicaCountsNoMore) {
  Gate gate(any(2, 0b11));
  gate.join(0, 10);
  gate.join(1, 10);
  gate.exclude(1);
  gate.update(0, 90, 90, 0);
  gate.update(1, 90, 90, 0);
  EXPECT_EQ(gate.quorum(), 10U);
  EXPECT_FALSE(gate.satisfiable());
}

TEST(QuorumGate, LevelReceivedDoesNotMakeADurableQuorum) {
  Gate gate(any(1, 0b1, AckLevel::received));
  ASSERT_TRUE(gate.connect(0, journal(0)));
  gate.update(0, 100, 40, 10);
  EXPECT_EQ(gate.quorum(), 100U);
  EXPECT_EQ(gate.durable_quorum(), 40U);
}

TEST(QuorumGate, LevelAppliedStillKnowsTheDurableQuorum) {
  Gate gate(any(1, 0b1, AckLevel::applied));
  ASSERT_TRUE(gate.connect(0, journal(0)));
  gate.update(0, 100, 40, 10);
  EXPECT_EQ(gate.quorum(), 10U);
  EXPECT_EQ(gate.durable_quorum(), 40U);
}

TEST(QuorumGate, AStricterRuleKeepsWhatWasAcknowledged) {
  Gate gate(any(1, 0b11));
  gate.join(0, 50);
  gate.set_rule(any(2, 0b11));
  EXPECT_EQ(gate.quorum(), 50U);
  gate.join(1, 30);
  EXPECT_EQ(gate.quorum(), 50U);
  gate.update(0, 80, 80, 0);
  gate.update(1, 70, 70, 0);
  EXPECT_EQ(gate.quorum(), 70U);
}

TEST(QuorumGate, ALooserRuleCountsAtOnce) {
  Gate gate(any(2, 0b11));
  gate.join(0, 50);
  EXPECT_EQ(gate.quorum(), 0U);
  gate.set_rule(any(1, 0b11));
  EXPECT_EQ(gate.quorum(), 50U);
}

TEST(QuorumGate, ResetForgetsEverybodyAndBeginsAtTheFloor) {
  Gate gate(any(1, 0b1));
  gate.join(0, 50);
  gate.reset(20);
  EXPECT_EQ(gate.quorum(), 20U);
  EXPECT_EQ(gate.durable_quorum(), 20U);
  EXPECT_EQ(gate.connected(), 0U);
  EXPECT_FALSE(gate.satisfiable());
}

// The definition: the largest mark m such that the replicas with at least m satisfy the rule.
TEST(QuorumGate, AgreesWithTheDefinitionOnRandomRules) {
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    const std::size_t replicas = 1 + random() % kMaxReplicas;
    QuorumRule rule;
    rule.number = 1;
    rule.clause_count = 1 + random() % 4;
    for (std::uint32_t i = 0; i < rule.clause_count; ++i) {
      const auto members = static_cast<ReplicaSet>(random() & ((1U << replicas) - 1)) | 1U;
      rule.clauses[i] = {
          members,
          1 + static_cast<std::uint32_t>(random() % static_cast<unsigned>(std::popcount(members)))};
    }
    QuorumGate gate;
    gate.set_rule(rule);
    std::array<std::uint64_t, kMaxReplicas> marks{};
    ReplicaSet connected = 0;
    for (std::size_t i = 0; i < replicas; ++i) {
      if (random() % 4 == 0) continue;
      connected |= 1U << i;
      marks[i] = random() % 20;
      ASSERT_TRUE(gate.connect(i, journal(static_cast<std::uint8_t>(i))));
    }
    for (std::size_t i = 0; i < replicas; ++i) {
      if ((connected >> i & 1) != 0) gate.update(i, marks[i], marks[i], 0);
    }
    std::uint64_t expected = 0;
    for (std::uint64_t mark = 0; mark < 20; ++mark) {
      ReplicaSet set = 0;
      for (std::size_t i = 0; i < replicas; ++i) {
        if ((connected >> i & 1) != 0 && marks[i] >= mark) set |= 1U << i;
      }
      if (rule.satisfied_by(set)) expected = mark;
    }
    EXPECT_EQ(gate.quorum(), expected) << "round " << round;
    EXPECT_EQ(gate.satisfiable(), rule.satisfied_by(connected));
  }
}

// FIRST 1 (2, 0, 1) by index.
QuorumRule first_of_three(std::uint32_t count) {
  QuorumRule rule = any(count, 0b111);
  rule.clauses[0].ordered = true;
  rule.clauses[0].order = {2, 0, 1};
  return rule;
}

TEST(QuorumGate, FirstWaitsForTheFirstThatIsThere) {
  Gate gate(first_of_three(1));
  gate.join(1, 30);
  EXPECT_EQ(gate.quorum(), 30U);
  gate.join(0, 20);
  gate.join(2, 10);
  gate.update(1, 90, 90, 0);
  EXPECT_EQ(gate.quorum(), 30U) << "index 2 comes first, and has 10; the mark never goes back";
  gate.update(2, 50, 50, 0);
  EXPECT_EQ(gate.quorum(), 50U);
  gate.disconnect(2);
  gate.update(0, 60, 60, 0);
  EXPECT_EQ(gate.quorum(), 60U);
}

TEST(QuorumGate, FirstPassesOverTheSlowWhileThereAreOthers) {
  Gate gate(first_of_three(2));
  gate.join(2, 10);
  gate.join(0, 40);
  gate.join(1, 30);
  EXPECT_EQ(gate.quorum(), 10U) << "2 and 0";
  gate.set_slow(0b100);
  EXPECT_EQ(gate.quorum(), 30U) << "0 and 1";
  gate.disconnect(1);
  gate.update(0, 80, 80, 0);
  EXPECT_EQ(gate.quorum(), 30U) << "the slow one is needed again";
  gate.update(2, 70, 70, 0);
  EXPECT_EQ(gate.quorum(), 70U);
}

}  // namespace
}  // namespace binlane
