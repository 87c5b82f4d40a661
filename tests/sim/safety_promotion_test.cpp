// The safety rules about promotions, and about who may be a source, by name: S2, S10, S12, S14, S15
// (S1 across two candidates). PromotionChecks watches each of them; what a test says beside that is
// what its rule promises. Which canary shows it stands above each.
#include "safety_script.h"

namespace binlane::sim {
namespace {

using namespace scripted;

constexpr std::uint64_t kPromotionNs = 60 * kNanosPerSecond;

void block_both_ways(World& world, std::uint32_t a, std::uint32_t b) {
  world.blocks.push_back({a, b});
  world.blocks.push_back({b, a});
}

std::uint32_t address(const World& world, std::size_t replica) {
  return world.replicas()[replica]->endpoint().ipv4;
}

void cut_off_from_source(World& world, std::size_t replica) {
  block_both_ways(world, world.source().endpoint().ipv4, address(world, replica));
}

// The source's machine is gone, with its server.
void lose_source(World& world) {
  world.source().kill();
  if (world.server().up()) world.server().kill();
}

Candidate& run_until_decided(World& world, std::size_t replica) {
  Candidate& candidate = world.promote(replica);
  world.run_until(
      [&] {
        return candidate.phase() == Candidate::Phase::active ||
               candidate.phase() == Candidate::Phase::given_up;
      },
      kPromotionNs, "the promotion's end");
  return candidate;
}

// The first replica is asked, and if another one holds more, that one.
void run_until_promoted(World& world, Candidate*& candidate) {
  candidate = &run_until_decided(world, 0);
  if (candidate->phase() == Candidate::Phase::given_up) {
    ASSERT_FALSE(candidate->better_candidate().empty()) << candidate->refusal();
    const auto better = static_cast<std::size_t>(candidate->better_candidate().back() - '0');
    candidate = &run_until_decided(world, better);
  }
  ASSERT_EQ(candidate->phase(), Candidate::Phase::active) << candidate->refusal();
}

// Clients have been answered by the new source, under its quorum.
void run_until_new_acks(World& world) {
  world.run_until([&] { return world.promotion_checks()->new_acked() > 10; }, kPromotionNs,
                  "commits at the new source");
}

// S2: the source dies in the middle of a group, half of which some replicas have. The winning log
// is sealed at its last whole group, peers copy it, and only then the new stream begins; what was
// acknowledged is in it, byte for byte (PromotionChecks), and every replica goes over to the new
// stream with exactly the sealed bytes. Canary: sealed_within_group.
TEST(Safety, S2_TheOldStreamIsSealedBeforeTheNewOneBegins) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    WorldOptions options = script(seed);
    options.server.second_piece_ns = 5 * kMs;
    World world(options);
    run_until_semisync(world);
    world.run_for(300 * kMs);
    run_until_half_a_group(world);
    lose_source(world);
    Candidate* candidate = nullptr;
    ASSERT_NO_FATAL_FAILURE(run_until_promoted(world, candidate));
    EXPECT_GT(world.promotion_checks()->compared(), 0U);
    EXPECT_LT(candidate->sealed_at(), candidate->log_end());
    EXPECT_EQ(world.server().around(candidate->sealed_at()), nullptr);
    run_until_new_acks(world);
    for (const auto& replica : world.replicas()) {
      if (replica.get() == &candidate->own()) continue;
      const JournalMeta meta = replica->stored_meta();
      EXPECT_EQ(meta.stream.origin, candidate->new_origin());
      ASSERT_EQ(meta.sealed.size(), 1U);
      EXPECT_EQ(meta.sealed[0].end, candidate->sealed_at());
    }
  }
}

// S1, S14: a replica is re-seeded while the old source, which no word of the promotion has reached,
// sees it alone. Its journal begins anew, and its promise does not: it completes no quorum there.
// Canary: promise_forgotten.
TEST(Safety, S1_AReseededReplicaKeepsItsPromise) {
  WorldOptions options = script();
  options.quorum = 1;
  World world(options);
  run_until_semisync(world);
  world.run_for(300 * kMs);
  cut_off_all_replicas(world);
  world.run_until([&] { return world.server().waiting() > 2; }, kSoonNs, "commits that wait");
  Candidate* candidate = nullptr;
  ASSERT_NO_FATAL_FAILURE(run_until_promoted(world, candidate));
  const std::size_t other = &candidate->own() == world.replicas()[1].get() ? 2 : 1;
  ReplicaHost& replica = *world.replicas()[other];
  const std::size_t before = answered(world, Answer::acked);
  ASSERT_EQ(world.source().fenced_by(), 0U);
  replica.kill();
  replica.reseed();
  replica.start();
  // Now only these two see each other.
  for (std::size_t i = 0; i < world.replicas().size(); ++i) {
    if (i != other) cut_off_from_source(world, i);
  }
  block_both_ways(world, candidate->endpoint().ipv4, address(world, other));
  std::erase_if(world.blocks, [](const auto& block) { return block.from == 0 || block.to == 0; });
  world.run_until([&] { return world.source().fenced_by() != 0; }, kSoonNs, "FENCED");
  EXPECT_EQ(answered(world, Answer::acked), before);
}

// The first replica misses what a quorum of the others acknowledged, and the source is gone.
void lose_source_while_one_lags(World& world) {
  run_until_semisync(world);
  cut_off_from_source(world, 0);
  const std::size_t before = answered(world, Answer::acked);
  world.run_until([&] { return answered(world, Answer::acked) > before + 10; }, kSoonNs,
                  "commits without the replica that is cut off");
  lose_source(world);
  world.blocks.clear();
}

// S1: a candidate that lags behind the others first fetches what it lacks, which was acknowledged,
// from one that holds it. Canary: lesser_log_promoted (I1 then: acknowledged, and behind the seal).
TEST(Safety, S1_ALesserCandidateFetchesFirst) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    World world(script(seed));
    lose_source_while_one_lags(world);
    const Position before = world.replicas()[0]->journal()->durable();
    const Candidate& candidate = run_until_decided(world, 0);
    ASSERT_EQ(candidate.phase(), Candidate::Phase::active) << candidate.refusal();
    EXPECT_EQ(candidate.fetches(), 1);
    EXPECT_GT(candidate.sealed_at(), before);
    EXPECT_GT(world.promotion_checks()->compared(), 0U);
    run_until_new_acks(world);
  }
}

// S1: the lender is lost on the way. The candidate gives up; it holds some of what was lent, under
// a later epoch than anybody, and still nobody who has all is taken for the lesser. When the lender
// is back it can be promoted.
TEST(Safety, S1_AFetchThatEndsHalfwayHarmsNobody) {
  World world(script());
  lose_source_while_one_lags(world);
  ReplicaHost& own = *world.replicas()[0];
  const Position before = own.journal()->durable();
  Candidate& candidate = world.promote(0);
  world.run_until([&] { return candidate.phase() == Candidate::Phase::fetch; }, kPromotionNs,
                  "a fetch");
  world.network().faults.bytes_per_ms = 100;
  world.run_until([&] { return own.journal()->durable() > before; }, kPromotionNs,
                  "a part of what is lent");
  ASSERT_EQ(candidate.phase(), Candidate::Phase::fetch);
  ASSERT_FALSE(candidate.better_candidate().empty());
  const auto lender = static_cast<std::size_t>(candidate.better_candidate().back() - '0');
  world.replicas()[lender]->kill();
  world.network().faults.bytes_per_ms = 0;
  world.run_until([&] { return candidate.phase() == Candidate::Phase::given_up; }, kPromotionNs,
                  "the candidate to give up");
  EXPECT_EQ(candidate.fetches(), 0);
  world.replicas()[lender]->start();
  const Candidate& next = run_until_decided(world, lender);
  ASSERT_EQ(next.phase(), Candidate::Phase::active) << next.refusal();
  EXPECT_GT(world.promotion_checks()->compared(), 0U);
  run_until_new_acks(world);
}

// S10: cut off from all others, the source degrades and releases to one replica what no quorum has.
// The later term does not hold it: the replica names it, is DIVERGED, and is fed nothing any more,
// not after a restart either. Canary: divergence_ignored.
TEST(Safety, S10_WhatALaterTermLacksMakesAReplicaDiverged) {
  World world(script());
  run_until_semisync(world);
  cut_off_from_source(world, 0);
  cut_off_from_source(world, 1);
  block_both_ways(world, address(world, 0), address(world, 2));
  block_both_ways(world, address(world, 1), address(world, 2));
  ReplicaHost& exposed = *world.replicas()[2];
  world.run_until([&] { return world.source().fallback_state() == FallbackState::async; }, kSoonNs,
                  "degraded");
  const Position before = exposed.fed();
  world.run_until([&] { return exposed.fed() > before; }, kSoonNs, "a feed without a quorum");
  lose_source(world);
  Candidate* candidate = &run_until_decided(world, 0);
  if (candidate->phase() == Candidate::Phase::given_up) candidate = &run_until_decided(world, 1);
  ASSERT_EQ(candidate->phase(), Candidate::Phase::active) << candidate->refusal();
  ASSERT_GT(exposed.fed(), candidate->sealed_at());
  run_until_new_acks(world);
  world.blocks.clear();
  world.run_until([&] { return exposed.exposures().divergence.has_value(); }, kSoonNs, "DIVERGED");
  EXPECT_GT(exposed.exposures().divergence->groups, 0U);
  EXPECT_NE(exposed.refusal().find("DIVERGED"), std::string::npos) << exposed.refusal();
  exposed.kill();
  exposed.start();
  world.run_for(2 * kNanosPerSecond);
  EXPECT_TRUE(exposed.exposures().divergence.has_value());
  EXPECT_NE(exposed.stream().origin, candidate->new_origin());
}

// S12: the new source's server takes no write before a quorum protects it, and the old source, back
// again with its clients and its tail, completes no quorum behind the seal (I3 and I1 watch), is
// FENCED by what the replicas promised, and stops taking writes. Canary: deposed_unnoticed.
TEST(Safety, S12_TheOldSourceComesBackAndIsNone) {
  World world(script());
  run_until_semisync(world);
  world.run_for(300 * kMs);
  cut_off_all_replicas(world);
  // Commits that nobody else has: the tail.
  world.run_until([&] { return world.server().waiting() > 2; }, kSoonNs, "a tail");
  lose_source(world);
  world.blocks.clear();
  Candidate* candidate = &run_until_decided(world, 0);
  if (candidate->phase() == Candidate::Phase::given_up) candidate = &run_until_decided(world, 1);
  ASSERT_EQ(candidate->phase(), Candidate::Phase::active) << candidate->refusal();
  EXPECT_TRUE(candidate->server()->read_only());
  EXPECT_TRUE(candidate->server()->commits().empty());
  world.server().start();
  world.source().start();
  const std::size_t before = answered(world, Answer::acked);
  world.run_until([&] { return world.source().fenced_by() == candidate->term(); }, kSoonNs,
                  "FENCED");
  world.run_until([&] { return world.server().read_only(); }, kSoonNs,
                  "the old server to take no more writes");
  EXPECT_EQ(answered(world, Answer::acked), before);
  // Nor after a restart.
  world.source().kill();
  world.source().start();
  run_until_new_acks(world);
  EXPECT_EQ(world.source().fenced_by(), candidate->term());
  EXPECT_EQ(answered(world, Answer::acked), before);
}

// S8, S12: the ledger's disk fails just when the old source learns that it is deposed. What its
// server lets go from then on is on record as soon as a daemon can write there again, for a rejoin
// goes by it. Canary: fencing_not_caught_up.
TEST(Safety, S12_AFencingThatCouldNotBeRecordedIsCaughtUp) {
  World world(script());
  run_until_semisync(world);
  world.run_for(300 * kMs);
  lose_source(world);
  const Candidate& candidate = run_until_decided(world, 0);
  ASSERT_EQ(candidate.phase(), Candidate::Phase::active) << candidate.refusal();
  world.server().start();
  SourceHost::fail_ledger(EIO);
  world.source().start();
  world.run_until([&] { return world.source().fenced_by() == candidate.term(); }, kSoonNs,
                  "FENCED");
  ASSERT_TRUE(world.source().ledger()->failed());
  ASSERT_TRUE(world.source().ledger()->open_intervals().empty());
  SourceHost::fail_ledger(0);
  world.source().kill();
  world.source().start();
  ASSERT_EQ(world.source().ledger()->open_intervals().size(), 1U);
  // Once is enough.
  world.source().kill();
  world.source().start();
  EXPECT_EQ(world.source().ledger()->open_intervals().size(), 1U);
  EXPECT_EQ(world.source().ledger()->open_intervals()[0].causes.size(), 1U);
}

// S14: ANY 1 of 3 needs all three fenced: any one of them may have acknowledged a commit alone. One
// that does not answer keeps the promotion from being proven, and it is the one that holds what was
// acknowledged last. Canary: promoted_without_fence.
TEST(Safety, S14_AFenceSetIntersectsEveryQuorum) {
  WorldOptions options = script();
  options.quorum = 1;
  World world(options);
  run_until_semisync(world);
  cut_off_from_source(world, 0);
  cut_off_from_source(world, 1);
  const std::size_t before = answered(world, Answer::acked);
  world.run_until([&] { return answered(world, Answer::acked) > before + 10; }, kSoonNs,
                  "commits that one replica alone has");
  lose_source(world);
  world.blocks.clear();
  block_both_ways(world, address(world, 0), address(world, 2));
  block_both_ways(world, address(world, 1), address(world, 2));
  for (const std::size_t replica : {0U, 1U}) {
    const Candidate& candidate = run_until_decided(world, replica);
    ASSERT_EQ(candidate.phase(), Candidate::Phase::given_up);
    EXPECT_NE(candidate.refusal().find("acknowledged"), std::string::npos) << candidate.refusal();
  }
  world.blocks.clear();
  const Candidate& winner = run_until_decided(world, 2);
  ASSERT_EQ(winner.phase(), Candidate::Phase::active) << winner.refusal();
  run_until_new_acks(world);
}

// S1, S14: the source lives, and commits go on, while a replica is promoted: fenced replicas
// acknowledge nothing of the older term any more, so whatever clients saw until then is in front of
// the seal (I1), nothing behind it completes a quorum (I3), and no GTID is acknowledged twice.
// Canaries: lesser_log_promoted, deposed_unnoticed.
TEST(Safety, S14_APlannedPromotionUnderLoad) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    World world(script(seed));
    run_until_semisync(world);
    world.run_for(200 * kMs + world.random().below(50 * kMs));
    Candidate* candidate = &run_until_decided(world, 0);
    for (std::size_t next = 1; candidate->phase() == Candidate::Phase::given_up && next < 3; ++next)
      candidate = &run_until_decided(world, next);
    ASSERT_EQ(candidate->phase(), Candidate::Phase::active) << candidate->refusal();
    EXPECT_GT(world.promotion_checks()->compared(), 0U);
    run_until_new_acks(world);
    world.run_until([&] { return world.source().fenced_by() != 0; }, kSoonNs, "FENCED");
  }
}

// S15: mode `fail`. The ledger is told first, then new commits are stopped while the waiting ones
// still wait, then those are released as exposed, and the server is read-only; it takes writes
// again only when a quorum protects them. Canary: released_before_read_only.
TEST(Safety, S15_ModeFailStopsNewCommitsBeforeItReleases) {
  WorldOptions options = script();
  options.mode = FallbackMode::fail;
  World world(options);
  run_until_semisync(world);
  bool released = false;
  const auto check_ledger = world.source().turning_off;
  world.source().turning_off = [&] {
    check_ledger();  // I4
    released = true;
    EXPECT_TRUE(world.server().read_only_pending());
    EXPECT_GT(world.server().waiting(), 0U);
  };
  cut_off_all_replicas(world);
  world.run_until([&] { return world.server().waiting() > 0; }, kSoonNs, "a commit that waits");
  world.run_until([&] { return world.server().read_only(); }, kSoonNs, "read-only");
  EXPECT_TRUE(released);
  EXPECT_EQ(world.server().waiting(), 0U);
  EXPECT_EQ(world.server().timeouts(), 0U);
  const std::size_t commits = world.server().commits().size();
  world.run_for(5 * kNanosPerSecond);
  EXPECT_EQ(world.server().commits().size(), commits);
  world.blocks.clear();
  world.run_until([&] { return world.server().commits().size() > commits; }, kSoonNs,
                  "writes again");
  EXPECT_EQ(world.source().fallback_state(), FallbackState::semisync);
  run_until_healthy(world);
}

}  // namespace
}  // namespace binlane::sim
