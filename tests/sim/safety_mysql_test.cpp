// The safety rules where MySQL differs from MariaDB, as scripts.
#include "safety_script.h"

namespace binlane::sim {
namespace {

using namespace scripted;

WorldOptions mysql(std::uint64_t seed = 1) {
  WorldOptions options = script(seed);
  options.server.kind = ServerKind::mysql;
  return options;
}

// S8: on MySQL a KILL of a waiting session releases nobody, and nothing is recorded as released.
// Once replicas answer, all that waited is acknowledged.
TEST(SafetyMySql, S8_AKillReleasesNobody) {
  WorldOptions options = mysql();
  options.mode = FallbackMode::block;
  options.server.timeout_ns = 600 * kNanosPerSecond;
  World world(options);
  run_until_semisync(world);
  cut_off_all_replicas(world);
  world.run_until([&] { return world.server().waiting() > 1; }, kSoonNs, "commits that wait");
  const std::size_t exposed = answered(world, Answer::exposed);
  const std::uint64_t entries = world.source().ledger()->totals().entries;
  world.server().kill_waiter();
  world.run_for(600 * kMs);
  EXPECT_EQ(world.server().temperament_counts().kills_waited_out, 1U);
  EXPECT_GT(world.server().waiting(), 0U);
  EXPECT_EQ(answered(world, Answer::exposed), exposed);
  world.blocks.clear();
  run_until_healthy(world);
  EXPECT_EQ(answered(world, Answer::exposed), exposed);
  EXPECT_EQ(world.source().ledger()->totals().entries, entries);
}

// S6, S24: the disk of the binlogs is full, and MySQL ends itself after half a group. Recovery cuts
// the half off, so nothing is damaged, and replicas that hold it cut it as well.
TEST(SafetyMySql, S6_AServerThatEndsItselfAfterHalfAGroup) {
  std::uint64_t cuts = 0;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    World world(mysql(seed));
    run_until_semisync(world);
    const std::uint64_t before = world.source().incarnations();
    world.server().tear_next_group();
    world.run_until([&] { return world.server().aborted(); }, kSoonNs, "the server's end");
    world.run_until([&] { return world.source().incarnations() > before; }, kSoonNs,
                    "another incarnation");
    EXPECT_EQ(world.server().temperament_counts().torn_files_trimmed, 1U);
    run_until_healthy(world);
    cuts += world.checks().counts().cuts;
  }
  EXPECT_GT(cuts, 0U);
}

// S16: RESET BINARY LOGS AND GTIDS TO n, where n is the number after the newest binlog's. The next
// file has the next number, and begins with no GTIDs: nobody who holds the old binlogs is given it,
// and nothing is acknowledged. If no daemon saw the RESET, no other stream begins, because the
// binlogs might as well have been purged; only the replicas show that they hold others.
TEST(SafetyMySql, S16_AResetThatContinuesTheNumbersIsFollowedByNobody) {
  for (const bool watched : {true, false}) {
    World world(mysql());
    run_until_semisync(world);
    const Uuid before = world.source().origin();
    const std::uint64_t acked = answered(world, Answer::acked);
    if (!watched) world.source().kill();
    world.run_until([&] { return world.server().reset_master(world.binlogs().last() + 1); },
                    kSoonNs, "a moment for RESET");
    if (!watched) world.source().start();
    world.run_for(3 * kNanosPerSecond);
    EXPECT_EQ(answered(world, Answer::acked), acked);
    const auto replicas = world.source().replicas();
    EXPECT_TRUE(std::none_of(replicas.begin(), replicas.end(),
                             [](const auto& replica) { return replica.in_session; }));
    world.operators();
    run_until_healthy(world);
    EXPECT_EQ(world.source().origin() != before, watched);
  }
}

// S8: a rotation waits for commits that wait, and blocks new ones. It ends when they do.
TEST(SafetyMySql, S8_ARotationWaitsForCommitsThatWait) {
  WorldOptions options = mysql();
  options.server.max_file_bytes = 1 << 20;
  World world(options);
  run_until_semisync(world);
  cut_off_all_replicas(world);
  world.run_until([&] { return world.server().waiting() > 0; }, kSoonNs, "commits that wait");
  const std::uint32_t file = world.server().written().file;
  world.server().flush_logs();
  world.run_for(500 * kMs);
  EXPECT_EQ(world.server().written().file, file);
  world.run_until([&] { return world.server().written().file > file; }, kSoonNs, "the next file");
  EXPECT_EQ(world.source().fallback_state(), FallbackState::async);
  EXPECT_EQ(world.server().temperament_counts().rotations_delayed, 1U);
  world.blocks.clear();
  run_until_healthy(world);
}

}  // namespace
}  // namespace binlane::sim
