// The safety rules about candidates that meet others or die on the way, and about promotions after
// promotions: S1, S2. PromotionChecks watches each of them; what a test says beside that is what
// its rule promises. Which mutant shows it stands above each.
#include "safety_script.h"

namespace binlane::sim {
namespace {

using namespace scripted;

// S1: two hosts are asked at the same moment, or one while the other is at it. Each term has one
// candidate; whoever loses gives up, or is deposed, and nothing that was acknowledged is lost.
TEST(Safety, S1_TwoCandidatesAtOnce) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    WorldOptions options = script(seed);
    options.replicas = 5;
    World world(options);
    run_until_semisync(world);
    world.run_for(200 * kMs);
    lose_source(world);
    SourceHost& first = world.promote(0);
    world.run_for(seed % 4 * 40 * kMs);
    SourceHost& second = world.promote(1);
    world.run_until([&] { return decided(first) && decided(second); }, kPromotionNs,
                    "both promotions' ends");
    const bool both = first.begun() && second.begun();
    if (both) {
      EXPECT_NE(first.promotion().term(), second.promotion().term());
    }
    if (first.begun() || second.begun()) {
      world.run_for(3 * kNanosPerSecond);
      continue;
    }
    ASSERT_TRUE(run_until_promoted(world, 0).begun());
    run_until_new_acks(world);
  }
}

// S1, S14: one replica is a quorum. The candidate's own log is fenced as its peers' are: it
// acknowledges nothing to the source that lives, once it has looked at what it holds. Mutant:
// fenced_session_goes_on.
TEST(Safety, S1_ACandidateFencesItself) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    WorldOptions options = script(seed);
    options.quorum = 1;
    World world(options);
    run_until_semisync(world);
    world.run_for(200 * kMs + world.random().below(50 * kMs));
    // The others are slower to hear of the promotion than the source is to write.
    world.network().faults.delay_ns = 5 * kMs;
    SourceHost& candidate = run_until_promoted(world, 0);
    ASSERT_TRUE(candidate.begun()) << candidate.view().refusal;
    EXPECT_GT(world.promotion_checks()->compared(), 0U);
    run_until_new_acks(world);
  }
}

// S2: a host whose server does not answer is refused before anybody is fenced. Mutant:
// unfit_server_promoted.
TEST(Safety, S2_AHostWithoutItsServerIsRefusedUnchanged) {
  World world(script());
  run_until_semisync(world);
  world.run_for(300 * kMs);
  lose_source(world);
  SourceHost& candidate = *world.candidates()[0];
  const std::uint32_t promised = candidate.own().stored_meta().promise.term;
  candidate.own().server().down_until_ns = UINT64_MAX;
  world.promote(0);
  world.run_until([&] { return decided(candidate); }, kPromotionNs, "the promotion's end");
  EXPECT_TRUE(candidate.gave_up());
  EXPECT_NE(candidate.view().refusal.find("nothing was changed"), std::string::npos)
      << candidate.view().refusal;
  EXPECT_EQ(candidate.own().stored_meta().promise.term, promised);
}

// S2: a candidate's daemon, or its whole machine, dies at each step and comes back. What was
// decided goes on by its record, to the same seal; what was not is asked for again. Mutant:
// resumed_behind_its_step.
TEST(Safety, S2_ACandidateThatDiesGoesOnByItsRecord) {
  using Phase = Promoter::Phase;
  for (const Phase phase : {Phase::preflight, Phase::drain, Phase::inspect, Phase::truncate,
                            Phase::cover, Phase::execute, Phase::activate}) {
    for (const bool power : {false, true}) {
      World world(script(1 + static_cast<std::uint64_t>(phase)));
      run_until_semisync(world);
      world.run_for(300 * kMs);
      lose_source(world);
      SourceHost& candidate = world.promote(0);
      world.run_until([&] { return decided(candidate) || candidate.phase() >= phase; },
                      kPromotionNs, "the step");
      if (candidate.phase() != phase) continue;  // it took no time
      const Position sealed_at = candidate.promotion().sealed_at();
      if (power) {
        candidate.cut_power(world.random());
      } else {
        candidate.kill();
      }
      world.run_for(200 * kMs);
      candidate.start_machine();
      ASSERT_TRUE(candidate.up()) << candidate.own().problem();
      world.run_until([&] { return decided(candidate); }, kPromotionNs, "the promotion's end");
      if (sealed_at.is_null()) {
        EXPECT_TRUE(candidate.gave_up());
        EXPECT_TRUE(run_until_promoted(world, 0).begun());
      } else {
        ASSERT_TRUE(candidate.begun()) << candidate.view().refusal;
        EXPECT_EQ(candidate.resumed(), 1U);
        EXPECT_EQ(candidate.promotion().sealed_at(), sealed_at);
      }
      run_until_new_acks(world);
    }
  }
}

// S2: the disk takes the new stream's state, but not the role that follows it. The promotion is
// given up, and goes on by its record once the daemon is back. Seed 374.
TEST(Safety, S2_APromotionWhoseLastRecordFailedGoesOn) {
  World world(script());
  run_until_semisync(world);
  world.run_for(300 * kMs);
  lose_source(world);
  SourceHost& candidate = world.promote(0);
  world.run_until([&] { return candidate.phase() == Promoter::Phase::activate; }, kPromotionNs,
                  "the last step");
  candidate.role_failing_until_ns = UINT64_MAX;
  world.run_until([&] { return candidate.gave_up(); }, kPromotionNs, "the failed record");
  ASSERT_FALSE(candidate.origin().is_null());
  candidate.role_failing_until_ns = 0;
  candidate.kill();
  candidate.start_machine();
  world.run_until([&] { return decided(candidate); }, kPromotionNs, "the promotion's end");
  ASSERT_TRUE(candidate.begun()) << candidate.view().refusal;
  EXPECT_EQ(candidate.resumed(), 1U);
  run_until_new_acks(world);
}

// S2: the candidate's server is away while it is to execute the seal, and begins the new stream
// only once it has. Mutant: execution_unproven (a GTID is then given out twice).
TEST(Safety, S2_TheNewStreamBeginsBehindWhatTheServerHasExecuted) {
  World world(script());
  run_until_semisync(world);
  world.run_for(300 * kMs);
  lose_source(world);
  SourceHost& candidate = world.promote(0);
  world.run_until([&] { return candidate.phase() == Promoter::Phase::cover; }, kPromotionNs,
                  "the seal");
  candidate.own().server().down_until_ns = world.clock().time_ns + 3 * kNanosPerSecond;
  world.run_until([&] { return decided(candidate); }, kPromotionNs, "the promotion's end");
  ASSERT_TRUE(candidate.begun()) << candidate.view().refusal;
  run_until_new_acks(world);
}

// S1: a candidate waits for its server after the step EXECUTED, and a later candidate gets its
// promise meanwhile. It begins no stream of its own, and its server follows the feed again.
TEST(Safety, S1_ACandidateWhosePromiseIsGoneStepsAside) {
  WorldOptions options = script();
  options.replicas = 4;
  World world(options);
  run_until_semisync(world);
  world.run_for(300 * kMs);
  lose_source(world);
  SourceHost& first = world.promote(0);
  world.run_until([&] { return first.phase() == Promoter::Phase::activate; }, kPromotionNs,
                  "the last step");
  first.own().server().down_until_ns = UINT64_MAX;
  const SourceHost& second = run_until_promoted(world, 1);
  ASSERT_TRUE(second.begun()) << second.view().refusal;
  run_until_new_acks(world);
  ASSERT_FALSE(decided(first));
  first.own().server().down_until_ns = 0;
  world.run_until([&] { return decided(first); }, kPromotionNs, "the first promotion's end");
  EXPECT_TRUE(first.gave_up());
  EXPECT_NE(first.view().refusal.find("has meanwhile promised itself to"), std::string::npos)
      << first.view().refusal;
  EXPECT_TRUE(first.own().server().following);
  run_until_new_acks(world);
}

// S2: a host is asked while it holds the sealed stream, and goes over to the next one while it asks
// its peers, which do not hear of that one. Before its source has sent anything there is nothing to
// continue, and the host says so.
TEST(Safety, S2_ACandidateThatGoesOverMeanwhileGivesUp) {
  constexpr std::uint64_t kSteps = 60;
  int nothing = 0;
  // The moment is short, and at another time in each run.
  for (std::uint64_t i = 0; i < 8 * kSteps && nothing == 0; ++i) {
    WorldOptions options = script(1 + i / kSteps);
    options.replicas = 4;
    World world(options);
    run_until_semisync(world);
    world.run_for(100 * kMs);
    lose_source(world);
    const SourceHost& now = run_until_promoted(world, 0);
    ASSERT_TRUE(now.begun());
    for (const std::size_t peer : {1U, 3U})
      world.blocks.push_back({now.endpoint().ipv4, world.replicas()[peer]->endpoint().ipv4});
    world.network().faults.delay_ns = 4 * kMs;
    world.run_for(i % kSteps * 4 * kMs);
    if (world.replicas()[2]->streams_switched() > 0) {
      i += kSteps - i % kSteps - 1;  // to the next run
      continue;
    }
    const SourceHost& late = world.promote(2);
    world.run_until([&] { return decided(late); }, kPromotionNs, "the promotion's end");
    nothing += late.view().refusal.find("nothing to continue") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(nothing, 1);
}

// S2, S1: the new source is replaced in turn, and that one once more: each seals the stream of the
// one before it, and everybody who is left follows the last.
TEST(Safety, S2_APromotionAfterAPromotion) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    WorldOptions options = script(seed);
    options.replicas = 5;
    World world(options);
    run_until_semisync(world);
    world.run_for(300 * kMs);
    lose_source(world);
    SourceHost* last = nullptr;
    for (int i = 0; i < 3; ++i) {
      SourceHost& next = run_until_promoted(world, static_cast<std::size_t>(i));
      ASSERT_TRUE(next.begun()) << next.view().refusal;
      if (last != nullptr) {
        EXPECT_EQ(next.promotion().old_stream().origin, last->promotion().new_origin());
        EXPECT_GT(next.promotion().term(), last->promotion().term());
        EXPECT_GT(world.promotion_checks()->compared(), 0U);
      }
      run_until_new_acks(world);
      last = &next;
    }
    for (const auto& other : world.candidates()) {
      if (other.get() == last || !other->begun()) continue;
      world.run_until([&] { return other->fenced_by() != 0; }, kSoonNs, "FENCED");
    }
  }
}

// S2: a replica whose archive has no room holds the sealed stream in its journal alone, and goes
// over to the next one only once the archive has it: its server gets it from nowhere else. Mutant:
// stream_switched_early.
TEST(Safety, S2_TheNextStreamWaitsForTheArchive) {
  World world(script());
  run_until_semisync(world);
  world.run_for(100 * kMs);
  ReplicaHost& replica = *world.replicas()[2];
  replica.files().full = true;
  world.run_for(100 * kMs);
  lose_source(world);
  const SourceHost& candidate = run_until_promoted(world, 0);
  ASSERT_TRUE(candidate.begun()) << candidate.view().refusal;
  run_until_new_acks(world);
  EXPECT_EQ(replica.stream().origin, candidate.promotion().old_stream().origin);
  replica.files().full = false;
  world.run_until([&] { return replica.stream().origin == candidate.promotion().new_origin(); },
                  kSoonNs, "the replica to follow the next stream");
}

}  // namespace
}  // namespace binlane::sim
