// Verdict: every combination of what may be known, compared with the rule itself. [S5]
#include "control/failover/verdict.h"

#include <gtest/gtest.h>

namespace binlane {
namespace {

constexpr Position kBelow{1, 50};
constexpr Position kAt{1, 100};
constexpr Position kAbove{1, 150};

VerdictFacts found(HostRole role) {
  VerdictFacts facts;
  facts.role = role;
  facts.end = kAt;
  facts.live = true;
  return facts;
}

TEST(Verdict, OnTheSourceItIsDurableOnlyWithQuorumAndSync) {
  for (const Position quorum : {kBelow, kAt, kAbove}) {
    for (const Position synced : {kBelow, kAt, kAbove}) {
      VerdictFacts facts = found(HostRole::source);
      facts.quorum = quorum;
      facts.synced = synced;
      const bool durable = quorum >= kAt && synced >= kAt;
      EXPECT_EQ(judge_transaction(facts).kind,
                durable ? VerdictKind::durable : VerdictKind::in_doubt);
    }
  }
}

TEST(Verdict, OnlyALiveSourceCanSayThatSomethingIsAbsent) {
  for (const bool live : {true, false}) {
    for (const bool not_here : {true, false}) {
      VerdictFacts facts = found(HostRole::source);
      facts.end.reset();
      facts.live = live;
      facts.not_here = not_here;
      EXPECT_EQ(judge_transaction(facts).kind,
                live && not_here ? VerdictKind::absent : VerdictKind::in_doubt);
    }
  }
}

// On a DIVERGED replica `released` proves nothing, because a later term lacks some of it.
TEST(Verdict, ADivergedReplicaNeverSaysDurable) {
  VerdictFacts facts = found(HostRole::standby);
  facts.released = facts.durable = kAbove;
  facts.alone_is_quorum = true;
  EXPECT_EQ(judge_transaction(facts).kind, VerdictKind::durable);
  facts.diverged = true;
  EXPECT_EQ(judge_transaction(facts).kind, VerdictKind::in_doubt);
}

TEST(Verdict, NamesTheExposureThatItLiesIn) {
  const auto names_it = [](const VerdictFacts& facts) {
    for (const std::string& line : judge_transaction(facts).evidence) {
      if (line.find("without a quorum: interval 7") != std::string::npos) return true;
    }
    return false;
  };
  VerdictFacts facts = found(HostRole::standby);
  facts.released = facts.durable = kAbove;
  facts.exposures.push_back({7, {1, 1}, kAt, std::nullopt, 0});
  EXPECT_FALSE(names_it(facts));  // it begins after that
  facts.exposures[0].from = kBelow;
  EXPECT_TRUE(names_it(facts));
  facts.exposures[0].to = kBelow;
  EXPECT_FALSE(names_it(facts));
}

TEST(Verdict, OnAReplicaItIsDurableOnlyWhenThatIsAQuorumByItself) {
  for (const Position released : {kBelow, kAt}) {
    for (const Position durable : {kBelow, kAt}) {
      for (const bool alone : {true, false}) {
        VerdictFacts facts = found(HostRole::standby);
        facts.released = released;
        facts.durable = durable;
        facts.alone_is_quorum = alone;
        const bool expected = released >= kAt && durable >= kAt && alone;
        EXPECT_EQ(judge_transaction(facts).kind,
                  expected ? VerdictKind::durable : VerdictKind::in_doubt);
      }
    }
  }
  VerdictFacts facts = found(HostRole::standby);
  facts.end.reset();
  facts.not_here = true;
  EXPECT_EQ(judge_transaction(facts).kind, VerdictKind::in_doubt);
}

TEST(Verdict, OnAFencedSourceTheSealDecides) {
  VerdictFacts facts = found(HostRole::fenced);
  facts.quorum = facts.synced = kAbove;  // old marks, which decide nothing any more
  EXPECT_EQ(judge_transaction(facts).kind, VerdictKind::in_doubt);
  facts.sealed_at = kAbove;
  EXPECT_EQ(judge_transaction(facts).kind, VerdictKind::in_doubt);
  facts.same_as_sealed = true;
  EXPECT_EQ(judge_transaction(facts).kind, VerdictKind::durable);
  facts.sealed_at = kAt;
  EXPECT_EQ(judge_transaction(facts).kind, VerdictKind::durable);
  facts.sealed_at = kBelow;
  EXPECT_EQ(judge_transaction(facts).kind, VerdictKind::absent);
}

TEST(Verdict, BelowASealItIsDurableOnAnyHost) {
  for (const HostRole role : {HostRole::source, HostRole::standby, HostRole::fenced}) {
    VerdictFacts facts;
    facts.role = role;
    facts.sealed_stream = "of term 1";
    EXPECT_EQ(judge_transaction(facts).kind, VerdictKind::durable);
  }
}

}  // namespace
}  // namespace binlane
