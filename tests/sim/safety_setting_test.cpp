// The safety rules where an operator has chosen something else than the defaults, or changes it
// while the source runs: the quorum rule, timeouts, modes, and what replicas do without a quorum
// (S4, S10, S13). Which mutant shows a test stands above it.
#include "safety_script.h"

namespace binlane::sim {
namespace {

using namespace scripted;

void change(World& world, const std::function<void(SourceHostOptions&)>& how) {
  const Status done = world.source().change(how);
  ASSERT_TRUE(done.is_ok()) << done.text();
}

// A change that is not finished keeps the next one waiting.
void change_count(World& world, std::uint32_t count) {
  const auto changed = [&] {
    return world.source()
        .change([count](SourceHostOptions& options) {
          ++options.rule.number;
          options.rule.clauses[0].count = count;
        })
        .is_ok();
  };
  world.run_until(changed, kSoonNs, "a change of the rule");
}

void cut_off(World& world, std::size_t replica) {
  const std::uint32_t source = world.source().endpoint().ipv4;
  const std::uint32_t address = world.replicas()[replica]->endpoint().ipv4;
  world.blocks.push_back({source, address});
  world.blocks.push_back({address, source});
}

void run_until_acked(World& world) {
  const std::size_t before = answered(world, Answer::acked);
  world.run_until([&] { return answered(world, Answer::acked) > before + 5; }, kSoonNs,
                  "commits under a quorum");
}

void run_until_waiting(World& world) {
  world.run_until([&] { return world.server().waiting() > 0; }, kSoonNs, "a commit that waits");
}

// S4: the rule is changed while the disk does not take the record of the role. Both rules hold, and
// the record is tried again every second until the disk takes it.
TEST(Safety, S4_ARuleThatCannotBeRecordedIsTriedAgainAtAPace) {
  WorldOptions options = script();
  options.quorum = 3;
  World world(options);
  run_until_semisync(world);
  SourceHost& source = world.source();
  source.role_failing_until_ns = UINT64_MAX;
  const std::uint64_t before = source.role_writes();
  change_count(world, 1);
  world.run_for(5 * kNanosPerSecond);
  EXPECT_GE(source.role_writes(), before + 3);
  EXPECT_LE(source.role_writes(), before + 6);
  EXPECT_EQ(source.rule_in_force().clauses[0].count, 3U);
  source.role_failing_until_ns = 0;
  world.run_until([&] { return source.rule_in_force().clauses[0].count == 1; }, kSoonNs,
                  "the new rule alone");
  run_until_acked(world);
}

// S4: the rule is changed while commits go on, up and down. Until the new one is on record with a
// quorum of each, both hold: with one replica away neither a stricter rule nor a weaker one that
// replaces it is satisfied by the others (I1 watches). Mutant: old_rule_dropped.
TEST(Safety, S4_ARuleThatChangesNeedsBoth) {
  WorldOptions options = script();
  options.quorum = 1;
  World world(options);
  run_until_semisync(world);
  change_count(world, 3);
  cut_off(world, 2);
  world.run_for(100 * kMs);
  const std::size_t before = answered(world, Answer::acked);
  world.run_for(500 * kMs);
  EXPECT_EQ(answered(world, Answer::acked), before);
  world.blocks.clear();
  run_until_acked(world);
  world.run_until([&] { return world.source().rule_in_force().clauses[0].count == 3; }, kSoonNs,
                  "the stricter rule");
  // The weaker rule alone would be satisfied; the one that it replaces is not.
  change_count(world, 1);
  cut_off(world, 1);
  cut_off(world, 2);
  world.run_for(100 * kMs);
  const std::size_t after = answered(world, Answer::acked);
  world.run_for(500 * kMs);
  EXPECT_EQ(answered(world, Answer::acked), after);
  world.blocks.clear();
  world.run_until([&] { return world.source().rule_in_force().clauses[0].count == 1; }, kSoonNs,
                  "the weaker rule");
  cut_off(world, 1);
  cut_off(world, 2);
  run_until_acked(world);
  world.blocks.clear();
  run_until_healthy(world);
}

// S4: a rule that the connected replicas cannot satisfy is refused, and changes nothing.
TEST(Safety, S4_ARuleThatCannotBeSatisfiedIsRefused) {
  World world(script());
  run_until_semisync(world);
  cut_off(world, 2);
  world.run_until([&] { return !world.source().marks().replicas[2].connected; }, kSoonNs,
                  "its absence");
  const Status refused = world.source().change([](SourceHostOptions& options) {
    ++options.rule.number;
    options.rule.clauses[0].count = 3;
  });
  EXPECT_TRUE(refused.is_failed());
  EXPECT_EQ(world.source().rule().clauses[0].count, 2U);
  run_until_acked(world);
  world.blocks.clear();
  run_until_healthy(world);
}

// S13: a shorter timeout counts for commits that wait already; the server's own timeout never ends
// a wait before Binlane's.
TEST(Safety, S13_ATimeoutIsChangedWhileCommitsWait) {
  for (const std::uint64_t timeout_ns : {500 * kMs, 3000 * kMs}) {
    World world(script());
    run_until_semisync(world);
    cut_off_all_replicas(world);
    run_until_waiting(world);
    const std::uint64_t since_ns = world.clock().time_ns;
    change(world, [timeout_ns](SourceHostOptions& options) {
      options.fallback.timeout_ns = timeout_ns;
      options.fallback.server_timeout_ns = timeout_ns + 1500 * kMs;
    });
    world.run_until([&] { return world.source().fallback_state() != FallbackState::semisync; },
                    kSoonNs, "the degrade");
    const std::uint64_t waited_ns = world.clock().time_ns - since_ns;
    EXPECT_LT(waited_ns, timeout_ns + 300 * kMs);
    EXPECT_GT(waited_ns + 300 * kMs, timeout_ns);
    EXPECT_EQ(world.server().timeouts(), 0U);
    world.blocks.clear();
    run_until_healthy(world);
  }
}

// S13, I4: in mode `block` Binlane releases nobody. What the server lets go by its own timeout is
// in the ledger, and semi-sync comes back by itself.
TEST(Safety, S13_ModeBlockReleasesNobody) {
  WorldOptions options = script();
  options.mode = FallbackMode::block;
  World world(options);
  run_until_semisync(world);
  const std::size_t before = answered(world, Answer::exposed);
  cut_off_all_replicas(world);
  run_until_waiting(world);
  world.run_until([&] { return world.source().blocked(); }, kSoonNs, "the timeout");
  EXPECT_EQ(answered(world, Answer::exposed), before);
  world.run_until([&] { return world.server().timeouts() > 0; }, kSoonNs,
                  "the server's own timeout");
  EXPECT_GT(answered(world, Answer::exposed), before);
  world.run_until([&] { return !world.source().ledger()->open_intervals().empty(); }, kSoonNs,
                  "the interval");
  world.blocks.clear();
  run_until_healthy(world);
}

// S13: an operator who changes the mode while commits are held releases them, ledger first (I4).
TEST(Safety, S13_AnotherModeEndsABlock) {
  WorldOptions options = script();
  options.mode = FallbackMode::block;
  World world(options);
  run_until_semisync(world);
  cut_off_all_replicas(world);
  run_until_waiting(world);
  world.run_until([&] { return world.source().blocked(); }, kSoonNs, "the timeout");
  change(world, [](SourceHostOptions& changed) { changed.fallback.mode = FallbackMode::degrade; });
  world.run_until([&] { return world.source().fallback_state() == FallbackState::async; },
                  500 * kMs, "the degrade");
  EXPECT_EQ(world.server().timeouts(), 0U);
  world.blocks.clear();
  run_until_healthy(world);
}

// S10: with `degraded_release = hold` the one replica that is left keeps what no quorum has in its
// journal, and its server is fed nothing of it while there is room (I7 watches); then it is.
// Mutant: held_release_told.
TEST(Safety, S10_HeldBytesStayInTheJournalWhileThereIsRoom) {
  WorldOptions options = script();
  options.degraded_release = DegradedRelease::hold;
  options.server.largest_rows = 300;
  World world(options);
  run_until_semisync(world);
  cut_off(world, 1);
  cut_off(world, 2);
  world.run_until([&] { return world.source().fallback_state() == FallbackState::async; }, kSoonNs,
                  "the degrade");
  world.run_for(200 * kMs);
  const ReplicaHost& replica = *world.replicas()[0];
  const Position fed = replica.fed();
  const Position durable = replica.journal()->durable();
  const std::uint32_t half = world.options().journal_blocks / 2;
  world.run_until([&] { return replica.journal()->free_blocks() < half; }, kSoonNs,
                  "half a journal of what no quorum has");
  EXPECT_EQ(replica.fed(), fed);
  EXPECT_GT(replica.journal()->durable(), durable);
  world.run_until([&] { return replica.fed() > fed; }, kSoonNs, "a journal without room");
  EXPECT_LT(replica.journal()->free_blocks(), half / 2);
  world.blocks.clear();
  run_until_healthy(world);
}

}  // namespace
}  // namespace binlane::sim
