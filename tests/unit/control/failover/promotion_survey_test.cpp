// PromotionSurvey: what it finds out before a promotion asks for a term, and what it refuses while
// nothing is changed yet.
#include "control/failover/promotion_survey.h"

#include <gtest/gtest.h>

#include "control/failover/promotion_answer.h"

namespace binlane {
namespace {

constexpr std::uint64_t kBeginNs = 100 * kNanosPerSecond;
constexpr std::uint64_t kTurnNs = 100 * kNanosPerMilli;

Uuid uuid(std::uint8_t number) {
  Uuid id;
  id.bytes[3] = number;
  return id;
}

// b is the candidate, whose rule needs the answers of b and c. a was the source.
struct Survey {
  PromotionLog log;
  std::vector<SessionManager::ReplicaView> peers{2};
  HeardSource heard{"a", kBeginNs - 60 * kNanosPerSecond};
  std::uint64_t now_ns = kBeginNs;
  std::optional<PromotionSurvey> survey;

  Survey() {
    log.name = "b";
    log.journal_id = uuid(1);
    log.stream = {uuid(9), 1};
    log.epoch = {1, 4};
    log.end = {3, 500};
    log.rules = promotion_rules({"ANY 1 (b, c)"});
    peers[0].name = "a";
    peers[1].name = "c";
  }
  void answer(std::size_t peer, Position end = {3, 500}) {
    SourceHandshake::Look look;
    look.found.journal_id = uuid(static_cast<std::uint8_t>(20 + peer));
    look.found.origin = uuid(9);
    look.found.stream_term = 1;
    look.found.log_epoch = {1, 4};
    look.found.end = end;
    look.found.rules = "ANY 1 (b, c)\n";
    peers[peer].look = look;
    ++peers[peer].looks;
  }
  void refuse(std::size_t peer, const std::string& why) {
    SourceHandshake::Look look;
    look.refused = true;
    peers[peer].look = look;
    peers[peer].refusal = "replica refuses: " + why;
    ++peers[peer].looks;
  }
  // One turn. Every peer that answers does so again, because every peer is asked again.
  PromotionSurvey::State turn(bool from_live_source = false) {
    if (!survey) survey.emplace(log, std::vector<std::string>{"a", "c"}, now_ns);
    survey->take(peers, heard, now_ns);
    const auto state = survey->state(from_live_source, now_ns);
    now_ns += kTurnNs;
    for (auto& peer : peers) peer.looks += peer.look ? 1 : 0;
    return state;
  }
  PromotionSurvey::State run(bool from_live_source = false) {
    auto state = PromotionSurvey::State::asking;
    for (int i = 0; i < 100 && state == PromotionSurvey::State::asking; ++i)
      state = turn(from_live_source);
    return state;
  }
};

using State = PromotionSurvey::State;

TEST(PromotionSurvey, ADeadSourceIsPromotedAwayFromAtOnce) {
  Survey s;
  s.answer(1);
  EXPECT_EQ(s.run(), State::clear);
  // The survey waits for further peers as long as the promotion itself does.
  EXPECT_LE(s.now_ns - kBeginNs, PromotionSurvey::kGraceNs + 2 * kTurnNs);
  EXPECT_EQ(s.survey->live_source(), "");
}

// The time of a turn is taken at its beginning, so it may be before the survey's own.
TEST(PromotionSurvey, ATurnFromBeforeItBeganIsNoLongTime) {
  Survey s;
  s.survey.emplace(s.log, std::vector<std::string>{"a", "c"}, s.now_ns + kNanosPerMilli);
  EXPECT_EQ(s.turn(), State::asking);
  s.answer(1);
  EXPECT_EQ(s.run(), State::clear);
}

TEST(PromotionSurvey, WhoHasToAnswerAndDoesNotIsNamed) {
  Survey s;
  EXPECT_EQ(s.run(), State::refused);
  EXPECT_GE(s.now_ns - kBeginNs, PromotionSurvey::kPatienceNs);
  EXPECT_NE(s.survey->reason(false).find("c: it has not answered"), std::string::npos)
      << s.survey->reason(false);
}

// Found by an operator new to Binlane: the source was FENCED for a promotion that could not
// succeed.
TEST(PromotionSurvey, AHostThatHasNotRejoinedRefusesBeforeAnybodyIsFenced) {
  Survey s;
  s.refuse(0, "this host is a source itself");
  s.refuse(1, "this host was the source before, and has not rejoined (binlane rejoin)");
  EXPECT_EQ(s.turn(), State::refused);
  EXPECT_NE(s.survey->reason(false).find("has not rejoined"), std::string::npos)
      << s.survey->reason(false);
  // --from-live-source does not help either.
  EXPECT_EQ(s.turn(true), State::refused);
}

TEST(PromotionSurvey, ASourceThatThisHostHearsIsALivingOne) {
  Survey s;
  s.answer(1);
  s.heard.heard_ns = kBeginNs + 1;
  EXPECT_EQ(s.turn(), State::refused);
  EXPECT_EQ(s.survey->live_source(), "a");
  EXPECT_NE(s.survey->reason(false).find("--from-live-source"), std::string::npos);
  EXPECT_EQ(s.run(true), State::clear);
}

// The source may have died just after its last frame arrived.
TEST(PromotionSurvey, ASourceThatDiedThisMomentIsToldFromALivingOne) {
  Survey s;
  s.answer(1);
  s.heard.heard_ns = kBeginNs - kNanosPerMilli;
  s.peers[1].look->source_alive = true;
  s.peers[1].look->source = "a";
  EXPECT_EQ(s.turn(), State::asking);
  EXPECT_EQ(s.turn(), State::asking);
  s.peers[1].look->source_alive = false;  // 250 ms have passed at that peer as well
  EXPECT_EQ(s.run(), State::clear);
  EXPECT_EQ(s.survey->live_source(), "");
}

TEST(PromotionSurvey, ASourceThatOnlyAPeerHearsIsALivingOne) {
  Survey s;
  s.answer(1);
  s.peers[1].look->source_alive = true;
  s.peers[1].look->source = "a";
  EXPECT_EQ(s.run(), State::refused);
  EXPECT_LE(s.now_ns - kBeginNs, PromotionSurvey::kAliveNs + 2 * kTurnNs);
  EXPECT_EQ(s.survey->live_source(), "a");
}

TEST(PromotionSurvey, ASourceWithoutASessionIsALivingOneToo) {
  Survey s;
  s.heard = {};
  s.answer(1);
  s.refuse(0, "this host is a source itself");
  s.peers[0].look->source_alive = true;
  EXPECT_EQ(s.run(), State::refused);
  EXPECT_EQ(s.survey->live_source(), "a");
}

TEST(PromotionSurvey, APeerThatHoldsMoreIsNoReasonToRefuse) {
  Survey s;
  s.answer(1, {3, 900});
  EXPECT_EQ(s.run(), State::clear);
}

TEST(PromotionSurvey, WhatIsDamagedOrHoldsALaterStreamRefuses) {
  Survey damaged;
  damaged.answer(1);
  damaged.peers[1].look->found.state = wire::kStateDamaged;
  damaged.refuse(0, "it is away");
  EXPECT_EQ(damaged.run(), State::refused);
  Survey later;
  later.answer(1);
  later.peers[1].look->found.stream_term = 2;
  EXPECT_EQ(later.run(), State::refused);
  EXPECT_NE(later.survey->reason(false).find("a promotion took place without it"),
            std::string::npos)
      << later.survey->reason(false);
}

TEST(PromotionSurvey, TellsWhatItSaw) {
  Survey s;
  s.answer(1);
  s.refuse(0, "this host is a source itself");
  s.peers[1].promised_term = 7;
  ASSERT_EQ(s.run(), State::clear);
  EXPECT_EQ(s.survey->largest_promise(), 7U);
  const auto lines = s.survey->lines(s.now_ns);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0], "peer a: replica refuses: this host is a source itself");
  EXPECT_NE(lines[1].find("would answer: log of epoch 1.4 up to 3:500"), std::string::npos);
  EXPECT_NE(lines[2].find("a was last heard 60."), std::string::npos) << lines[2];
}

}  // namespace
}  // namespace binlane
