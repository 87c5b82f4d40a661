// The safety rules about promotions, and about who may be a source, by name: S2, S10, S12, S14,
// S15, and S1 with two candidates. PromotionChecks runs in each of them; the test itself checks
// what its rule promises. Above each test are the mutants that it finds.
#include "safety_script.h"

namespace binlane::sim {
namespace {

using namespace scripted;

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

SourceHost& run_until_decided(World& world, std::size_t replica) {
  SourceHost& candidate = world.promote(replica);
  world.run_until([&] { return decided(candidate); }, kPromotionNs, "the promotion's end");
  return candidate;
}

// Asks the first replica, and if that names a better one, that one.
void run_until_it_is_source(World& world, SourceHost*& candidate) {
  candidate = &run_until_decided(world, 0);
  if (candidate->gave_up()) {
    ASSERT_FALSE(candidate->view().better_candidate.empty()) << candidate->view().refusal;
    const auto better = static_cast<std::size_t>(candidate->view().better_candidate.back() - '0');
    candidate = &run_until_decided(world, better);
  }
  ASSERT_TRUE(candidate->begun()) << candidate->view().refusal;
}

// S2: the source dies in the middle of a group, half of which some replicas have. The winning log
// is sealed at its last whole group, peers copy it, and only then the new stream begins; what was
// acknowledged is in it, byte for byte (PromotionChecks), and every replica goes over to the new
// stream with exactly the sealed bytes. Mutants: sealed_within_group, log_beyond_seal_kept,
// sealed_copy_whole, seal_uncovered.
TEST(Safety, S2_TheOldStreamIsSealedBeforeTheNewOneBegins) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    WorldOptions options = script(seed);
    options.server.second_piece_ns = 5 * kMs;
    World world(options);
    run_until_semisync(world);
    world.run_for(300 * kMs);
    run_until_half_a_group(world);
    lose_source(world);
    SourceHost* candidate = nullptr;
    ASSERT_NO_FATAL_FAILURE(run_until_it_is_source(world, candidate));
    EXPECT_GT(world.promotion_checks()->compared(), 0U);
    EXPECT_LT(candidate->promotion().sealed_at(), candidate->promotion().log_end());
    EXPECT_EQ(candidate->own().journal()->end(), candidate->promotion().sealed_at());
    EXPECT_EQ(world.server().around(candidate->promotion().sealed_at()), nullptr);
    run_until_new_acks(world);
    for (const auto& replica : world.replicas()) {
      if (replica.get() == &candidate->own()) continue;
      const JournalMeta meta = replica->stored_meta();
      EXPECT_EQ(meta.stream.origin, candidate->promotion().new_origin());
      ASSERT_EQ(meta.sealed.size(), 1U);
      EXPECT_EQ(meta.sealed[0].end, candidate->promotion().sealed_at());
    }
  }
}

// S2: two replicas were told that the beginning of a large group is released, and are away when a
// candidate decides. It cannot know, and seals behind all that they can have been told; so they
// come back, copy the seal, and the promotion ends. Seed 85804. Mutant: unseen_release_ignored.
TEST(Safety, S2_WhoIsNotInspectedCanComeBackToTheSeal) {
  WorldOptions options = script(2);
  options.replicas = 4;
  options.quorum = 3;
  options.server.largest_rows = 30'000;
  options.server.max_file_bytes = std::uint64_t{1024} * 1024;
  World world(options);
  run_until_semisync(world);
  // The source syncs a group long before its replicas have it all.
  world.network().faults.bytes_per_ms = 400;
  const auto& replicas = world.replicas();
  const auto released = [&](std::size_t i) { return replicas[i]->journal()->released(); };
  const auto half = [&](Position at) {
    const Commit* const group = world.server().around(at);
    return group != nullptr && world.binlogs().durable_until() >= group->end;
  };
  world.run_until([&] { return half(replicas[0]->journal()->durable()); }, kSoonNs, "half a group");
  // From now on these two hear nothing, and so do not hear of the quorum that they complete.
  const std::uint32_t source = world.source().endpoint().ipv4;
  world.blocks = {{source, address(world, 0)}, {source, address(world, 1)}};
  world.run_until(
      [&] {
        return half(released(2)) && half(released(3)) && released(2) > released(0) &&
               released(3) > released(1);
      },
      kSoonNs, "two replicas that have released half a group");
  lose_source(world);
  replicas[2]->kill();
  replicas[3]->kill();
  world.blocks.clear();
  world.network().faults.bytes_per_ms = 0;
  const bool second = replicas[1]->journal()->end() > replicas[0]->journal()->end();
  SourceHost& candidate = world.promote(second ? 1 : 0);
  world.run_until([&] { return !candidate.promotion().sealed_at().is_null(); }, kPromotionNs,
                  "the seal");
  EXPECT_NE(world.server().around(candidate.promotion().sealed_at()), nullptr);
  replicas[2]->start();
  replicas[3]->start();
  world.run_until([&] { return candidate.begun(); }, kPromotionNs, "the promotion's end");
  run_until_new_acks(world);
}

// S1, S14: a replica is re-seeded while the old source, which no word of the promotion has reached,
// sees it alone. Its journal begins anew, and its promise does not: it completes no quorum there.
// Mutant: promise_forgotten.
TEST(Safety, S1_AReseededReplicaKeepsItsPromise) {
  WorldOptions options = script();
  options.quorum = 1;
  World world(options);
  run_until_semisync(world);
  world.run_for(300 * kMs);
  cut_off_all_replicas(world);
  world.run_until([&] { return world.server().waiting() > 2; }, kSoonNs, "commits that wait");
  SourceHost* candidate = nullptr;
  ASSERT_NO_FATAL_FAILURE(run_until_it_is_source(world, candidate));
  const std::size_t other = &candidate->own() == world.replicas()[1].get() ? 2 : 1;
  ReplicaHost& replica = *world.replicas()[other];
  const std::size_t before = answered(world, Answer::acked);
  ASSERT_EQ(world.source().fenced_by(), 0U);
  replica.kill();
  replica.reseed();
  replica.start();
  // From now on only these two see each other.
  for (std::size_t i = 0; i < world.replicas().size(); ++i) {
    if (i != other) cut_off_from_source(world, i);
  }
  block_both_ways(world, candidate->endpoint().ipv4, address(world, other));
  std::erase_if(world.blocks, [](const auto& block) { return block.from == 0 || block.to == 0; });
  world.run_until([&] { return world.source().fenced_by() != 0; }, kSoonNs, "FENCED");
  EXPECT_EQ(answered(world, Answer::acked), before);
}

// The first replica misses what a quorum of the others acknowledged, and then the source is lost.
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
// from one that holds it. Mutant: lesser_log_promoted (then I1 fails: something acknowledged is
// after the seal).
TEST(Safety, S1_ALesserCandidateFetchesFirst) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    World world(script(seed));
    lose_source_while_one_lags(world);
    const Position before = world.replicas()[0]->journal()->durable();
    const SourceHost& candidate = run_until_decided(world, 0);
    ASSERT_TRUE(candidate.begun()) << candidate.view().refusal;
    EXPECT_EQ(candidate.promotion().fetches(), 1);
    EXPECT_GT(candidate.promotion().sealed_at(), before);
    EXPECT_GT(world.promotion_checks()->compared(), 0U);
    run_until_new_acks(world);
  }
}

// S1: the donor is lost on the way, and the candidate gives up. It holds some of what it fetched,
// in a later epoch than all others, but still no log that holds everything counts as the lesser
// one. When the donor is back, it can be promoted.
TEST(Safety, S1_AFetchThatEndsHalfwayHarmsNobody) {
  World world(script());
  lose_source_while_one_lags(world);
  ReplicaHost& own = *world.replicas()[0];
  const Position before = own.journal()->durable();
  SourceHost& candidate = world.promote(0);
  world.run_until([&] { return candidate.phase() == Promoter::Phase::fetch; }, kPromotionNs,
                  "a fetch");
  world.network().faults.bytes_per_ms = 100;
  world.run_until([&] { return own.journal()->durable() > before; }, kPromotionNs,
                  "a part of what is lent");
  ASSERT_EQ(candidate.phase(), Promoter::Phase::fetch);
  ASSERT_FALSE(candidate.view().better_candidate.empty());
  const auto donor = static_cast<std::size_t>(candidate.view().better_candidate.back() - '0');
  world.replicas()[donor]->kill();
  world.network().faults.bytes_per_ms = 0;
  world.run_until([&] { return candidate.gave_up(); }, kPromotionNs, "the candidate to give up");
  EXPECT_EQ(candidate.promotion().fetches(), 0);
  world.replicas()[donor]->start();
  const SourceHost& next = run_until_decided(world, donor);
  ASSERT_TRUE(next.begun()) << next.view().refusal;
  EXPECT_GT(world.promotion_checks()->compared(), 0U);
  run_until_new_acks(world);
}

// S10: the source is cut off from all but one replica, degrades, and releases to that one what no
// quorum has. The later term does not hold it, so the replica names it, is DIVERGED, and feeds
// nothing any more, not after a restart either. Mutant: divergence_ignored.
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
  SourceHost* candidate = &run_until_decided(world, 0);
  if (candidate->gave_up()) candidate = &run_until_decided(world, 1);
  ASSERT_TRUE(candidate->begun()) << candidate->view().refusal;
  ASSERT_GT(exposed.fed(), candidate->promotion().sealed_at());
  run_until_new_acks(world);
  world.blocks.clear();
  world.run_until([&] { return exposed.exposures().divergence.has_value(); }, kSoonNs, "DIVERGED");
  EXPECT_GT(exposed.exposures().divergence->groups, 0U);
  EXPECT_NE(exposed.refusal().find("DIVERGED"), std::string::npos) << exposed.refusal();
  exposed.kill();
  exposed.start();
  world.run_for(2 * kNanosPerSecond);
  EXPECT_TRUE(exposed.exposures().divergence.has_value());
  EXPECT_NE(exposed.stream().origin, candidate->promotion().new_origin());
  // Nor is it promoted. Mutant: diverged_host_promoted.
  const SourceHost& diverged = run_until_decided(world, 2);
  EXPECT_TRUE(diverged.gave_up());
  EXPECT_NE(diverged.view().refusal.find("DIVERGED"), std::string::npos) << diverged.view().refusal;
}

// S12: the new source's server takes no write before a quorum protects it. The old source, back
// with its clients and its tail, completes no quorum after the seal (checks I3 and I1), is FENCED
// because of what the replicas have promised, and stops taking writes. Mutant: deposed_unnoticed.
TEST(Safety, S12_TheOldSourceComesBackAndIsNone) {
  World world(script());
  run_until_semisync(world);
  world.run_for(300 * kMs);
  cut_off_all_replicas(world);
  // Commits that no other host has: the tail.
  world.run_until([&] { return world.server().waiting() > 2; }, kSoonNs, "a tail");
  lose_source(world);
  world.blocks.clear();
  SourceHost* candidate = &run_until_decided(world, 0);
  if (candidate->gave_up()) candidate = &run_until_decided(world, 1);
  ASSERT_TRUE(candidate->begun()) << candidate->view().refusal;
  EXPECT_TRUE(candidate->server().read_only());
  EXPECT_TRUE(candidate->server().commits().empty());
  world.server().start();
  world.source().start();
  const std::size_t before = answered(world, Answer::acked);
  world.run_until([&] { return world.source().fenced_by() == candidate->promotion().term(); },
                  kSoonNs, "FENCED");
  world.run_until([&] { return world.server().read_only(); }, kSoonNs,
                  "the old server to take no more writes");
  EXPECT_EQ(answered(world, Answer::acked), before);
  // A restart does not change that.
  world.source().kill();
  world.source().start();
  run_until_new_acks(world);
  EXPECT_EQ(world.source().fenced_by(), candidate->promotion().term());
  EXPECT_EQ(answered(world, Answer::acked), before);
}

// S8, S12: the ledger's disk fails just when the old source learns that it is deposed. What its
// server releases from then on is recorded as soon as a daemon can write there again, because a
// rejoin relies on it. Mutant: fencing_not_caught_up.
TEST(Safety, S12_AFencingThatCouldNotBeRecordedIsCaughtUp) {
  World world(script());
  run_until_semisync(world);
  world.run_for(300 * kMs);
  lose_source(world);
  const SourceHost& candidate = run_until_decided(world, 0);
  ASSERT_TRUE(candidate.begun()) << candidate.view().refusal;
  world.server().start();
  SourceHost::fail_ledger(EIO);
  world.source().start();
  world.run_until([&] { return world.source().fenced_by() == candidate.promotion().term(); },
                  kSoonNs, "FENCED");
  ASSERT_TRUE(world.source().ledger()->failed());
  ASSERT_TRUE(world.source().ledger()->open_intervals().empty());
  SourceHost::fail_ledger(0);
  world.source().kill();
  world.source().start();
  ASSERT_EQ(world.source().ledger()->open_intervals().size(), 1U);
  // It is recorded only once.
  world.source().kill();
  world.source().start();
  EXPECT_EQ(world.source().ledger()->open_intervals().size(), 1U);
  EXPECT_EQ(world.source().ledger()->open_intervals()[0].causes.size(), 1U);
}

// S14: ANY 1 of 3 needs all three fenced, because each of them may have acknowledged a commit
// alone. One that does not answer keeps the promotion from being proven, and it is the one that
// holds what was acknowledged last. Mutant: promoted_without_fence.
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
    const SourceHost& candidate = run_until_decided(world, replica);
    ASSERT_TRUE(candidate.gave_up());
    EXPECT_NE(candidate.view().refusal.find("acknowledged"), std::string::npos)
        << candidate.view().refusal;
  }
  world.blocks.clear();
  const SourceHost& winner = run_until_decided(world, 2);
  ASSERT_TRUE(winner.begun()) << winner.view().refusal;
  run_until_new_acks(world);
}

// S1, S14: a replica is promoted while the source lives and commits continue. Fenced replicas
// acknowledge nothing of the older term any more. So everything that clients saw until then is
// before the seal (I1), nothing after it completes a quorum (I3), and no GTID is acknowledged
// twice. Mutants: lesser_log_promoted, deposed_unnoticed.
TEST(Safety, S14_APlannedPromotionUnderLoad) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    World world(script(seed));
    run_until_semisync(world);
    world.run_for(200 * kMs + world.random().below(50 * kMs));
    SourceHost* candidate = &run_until_decided(world, 0);
    for (std::size_t next = 1; candidate->gave_up() && next < 3; ++next)
      candidate = &run_until_decided(world, next);
    ASSERT_TRUE(candidate->begun()) << candidate->view().refusal;
    EXPECT_GT(world.promotion_checks()->compared(), 0U);
    run_until_new_acks(world);
    world.run_until([&] { return world.source().fenced_by() != 0; }, kSoonNs, "FENCED");
  }
}

// S15: mode `fail`. Binlane writes the ledger first, then stops new commits while the waiting
// ones still wait, and then releases those as exposed. The server is read-only, and takes writes
// again only when a quorum protects them. Mutant: released_before_read_only.
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
