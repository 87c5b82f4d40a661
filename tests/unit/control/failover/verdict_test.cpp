// Verdict: every combination of what may be known, compared with the rule itself. [S5]
#include "control/failover/verdict.h"

#include <gtest/gtest.h>

#include <algorithm>

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

StreamIdentity of_term(std::uint32_t term) {
  StreamIdentity stream;
  stream.origin.bytes[0] = static_cast<std::uint8_t>(term);
  stream.term = term;
  stream.basename = "binlog";
  return stream;
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

// Whatever the host's marks say: they belong to another stream.
TEST(Verdict, InASealedStreamTheSealDecidesOnAnyHost) {
  for (const HostRole role : {HostRole::source, HostRole::standby, HostRole::fenced}) {
    VerdictFacts facts = found(role);
    facts.quorum = facts.synced = facts.released = facts.durable = kAbove;
    facts.alone_is_quorum = true;
    facts.stream = KnownStream{of_term(1), kAt};
    EXPECT_EQ(judge_transaction(facts).kind, VerdictKind::durable);
    facts.end = kAbove;
    EXPECT_EQ(judge_transaction(facts).kind, VerdictKind::absent);
    facts.end.reset();
    EXPECT_EQ(judge_transaction(facts).kind, VerdictKind::in_doubt);
  }
}

TEST(Verdict, NamesTheStreamThatItSpeaksOf) {
  for (const HostRole role : {HostRole::source, HostRole::standby, HostRole::fenced}) {
    for (const bool sealed : {true, false}) {
      VerdictFacts facts = found(role);
      facts.stream = KnownStream{of_term(3), std::nullopt};
      if (sealed) facts.stream->sealed_at = kAbove;
      const Verdict verdict = judge_transaction(facts);
      EXPECT_TRUE(std::ranges::any_of(verdict.evidence, [](const std::string& line) {
        return line.find("term 3 (binlog)") != std::string::npos;
      }));
    }
  }
}

// Two streams give the same position to different transactions: what a lost one ended at in term 2,
// a durable one may end at in term 3.
TEST(Verdict, APositionAloneIsOfTheOnlyStreamOrOfNone) {
  const KnownStream first{of_term(1), std::nullopt};
  const KnownStream sealed{of_term(2), kAt};
  const KnownStream present{of_term(3), std::nullopt};

  const StreamChoice only = stream_of_position({first}, std::nullopt, 1);
  ASSERT_TRUE(only.stream);
  EXPECT_EQ(only.stream->stream.term, 1u);

  // More than one is known, or must have been: a later one that was promised, earlier ones that
  // are forgotten.
  EXPECT_FALSE(stream_of_position({sealed, present}, std::nullopt, 3).stream);
  EXPECT_FALSE(stream_of_position({first}, std::nullopt, 2).stream);
  EXPECT_FALSE(stream_of_position({present}, std::nullopt, 0).stream);
  EXPECT_FALSE(stream_of_position({}, std::nullopt, 0).stream);

  VerdictFacts facts = found(HostRole::source);
  facts.quorum = facts.synced = kAbove;
  facts.end.reset();
  facts.problem = stream_of_position({sealed, present}, std::nullopt, 3).problem;
  const Verdict verdict = judge_transaction(facts);
  EXPECT_EQ(verdict.kind, VerdictKind::in_doubt);
  ASSERT_EQ(verdict.evidence.size(), 1u);
  EXPECT_NE(verdict.evidence[0].find("--term"), std::string::npos);
  EXPECT_NE(verdict.evidence[0].find("term 2 (binlog) sealed at 1:100"), std::string::npos);
}

TEST(Verdict, ATermNamesTheStreamOfAPosition) {
  const KnownStream sealed{of_term(2), kAt};
  const KnownStream present{of_term(3), std::nullopt};
  const StreamChoice before = stream_of_position({sealed, present}, 2, 3);
  ASSERT_TRUE(before.stream);
  EXPECT_EQ(before.stream->sealed_at, kAt);
  const StreamChoice now = stream_of_position({sealed, present}, 3, 3);
  ASSERT_TRUE(now.stream);
  EXPECT_EQ(now.stream->sealed_at, std::nullopt);
  const StreamChoice unknown = stream_of_position({sealed, present}, 1, 3);
  EXPECT_FALSE(unknown.stream);
  EXPECT_NE(unknown.problem.find("no record of a stream of term 1"), std::string::npos);
}

}  // namespace
}  // namespace binlane
