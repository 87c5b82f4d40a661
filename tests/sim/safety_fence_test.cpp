// The safety rules that keep a source from releasing commits: S18 (a fence without a disk) and S21
// (waking up).
#include <cerrno>

#include "safety_script.h"

namespace binlane::sim {
namespace {

using namespace scripted;

// Runs until the clients that waited at the fence are answered, and the server takes no writes.
void run_until_closed(World& world) {
  world.run_until(
      [&] {
        return world.server().read_only() && world.server().waiting() == 0 &&
               !world.server().within_group();
      },
      kSoonNs, "a server that takes no writes");
}

std::size_t written_after(const World& world, Position position) {
  const auto& commits = world.server().commits();
  return static_cast<std::size_t>(
      std::count_if(commits.begin(), commits.end(),
                    [&](const Commit& commit) { return commit.begin > position; }));
}

// S18: every write of the source's disk fails, and an operator fences the source. No commit is
// acknowledged any more, the server is read-only, and the record is written once the disk works
// again.
TEST(Safety, S18_AFenceWithoutADiskStillFences) {
  World world(script());
  run_until_semisync(world);
  world.run_for(300 * kMs);
  SourceHost& source = world.source();
  source.state_failing = true;
  source.role_failing_until_ns = UINT64_MAX;
  SourceHost::fail_ledger(EIO);
  world.run_for(300 * kMs);
  source.fence({0, "an operator fenced it: its disk is going"});
  const std::size_t acked = answered(world, Answer::acked);
  // A group that is being written is finished.
  world.run_until([&] { return !world.server().within_group(); }, kSoonNs, "whole groups");
  const Position end = world.server().written();
  run_until_closed(world);
  world.run_for(2 * kNanosPerSecond);
  EXPECT_TRUE(source.fenced());
  EXPECT_FALSE(source.role_on_record());
  EXPECT_EQ(answered(world, Answer::acked), acked);
  EXPECT_EQ(written_after(world, end), 0U);

  source.state_failing = false;
  source.role_failing_until_ns = 0;
  SourceHost::fail_ledger(0);
  world.run_until([&] { return source.role_on_record(); }, kSoonNs, "the record");
  source.kill();
  source.start();
  EXPECT_TRUE(source.fenced());
  world.run_for(2 * kNanosPerSecond);
  EXPECT_EQ(answered(world, Answer::acked), acked);
}

// I4: binlaned is away while the server restarts and lets commits go, and the full disk cannot
// record them when it is back; the replicas have them soon. Then the host is fenced, and restarted.
// The ledger gets what it lacks all the same, once it has room.
TEST(Safety, I4_AFenceRecordsWhatTheLedgerHadNoRoomFor) {
  for (const bool restarted : {false, true}) {
    SCOPED_TRACE(restarted ? "binlaned restarted" : "binlaned runs on");
    World world(script());
    run_until_semisync(world);
    world.run_for(300 * kMs);
    SourceHost& source = world.source();
    const Position accounted = world.server().written();
    source.kill();
    world.server().kill();
    world.server().start();
    world.run_until([&] { return written_after(world, accounted) >= 3; }, kSoonNs, "commits");
    SourceHost::fail_ledger(ENOSPC);
    source.start();
    world.run_until(
        [&] {
          return world.server().read_only() && source.state() &&
                 source.state()->quorum >= world.server().written();
        },
        kSoonNs, "replicas that have everything");
    source.fence({0, "an operator fenced it: its disk is full"});
    if (restarted) {
      source.kill();
      source.start();
    }
    SourceHost::fail_ledger(0);
    world.run_until([&] { return !source.ledger()->open_intervals().empty(); }, kSoonNs,
                    "an interval");
    EXPECT_LE(source.ledger()->open_intervals().front().from, accounted);
  }
}

// S18: the same, because a replica has promised a later term.
TEST(Safety, S18_ALaterTermFencesWithoutADisk) {
  World world(script());
  run_until_semisync(world);
  world.run_for(300 * kMs);
  SourceHost& source = world.source();
  source.state_failing = true;
  source.role_failing_until_ns = UINT64_MAX;
  SourceHost& candidate = world.promote(0);
  world.run_until(
      [&] { return source.fenced_by() != 0 && source.fenced_by() == candidate.promotion().term(); },
      kSoonNs, "FENCED");
  EXPECT_FALSE(source.role_on_record());
  const std::size_t acked = answered(world, Answer::acked);
  run_until_closed(world);
  world.run_for(2 * kNanosPerSecond);
  EXPECT_EQ(answered(world, Answer::acked), acked);
  source.role_failing_until_ns = 0;
  world.run_until([&] { return source.role_on_record(); }, kSoonNs, "the record");
}

// S18: if the state cannot be stored, no incarnation can begin, and nobody watches what the server
// releases. So it takes no writes.
TEST(Safety, S18_ASourceThatCannotStoreItsStateTakesNoWrites) {
  World world(script());
  run_until_semisync(world);
  world.run_for(300 * kMs);
  SourceHost& source = world.source();
  source.state_failing = true;
  world.server().set_sync_binlog(0);  // ends the incarnation
  world.run_until([&] { return !source.running(); }, kSoonNs, "the incarnation's end");
  world.server().set_sync_binlog(1);
  world.run_until([&] { return source.guard().unrecorded(); }, kSoonNs, "the refusal");
  run_until_closed(world);
  const Position end = world.server().written();
  world.run_for(2 * kNanosPerSecond);
  EXPECT_EQ(written_after(world, end), 0U);

  source.state_failing = false;
  source.kill();
  source.start();
  run_until_semisync(world);
  world.run_until([&] { return !world.server().read_only(); }, kSoonNs, "writes");
}

// I4: the incarnation has ended, and binlaned does not see what the server does until the next one
// begins. Before that the host is fenced. The interval begins where the ledger is known to be
// complete, however much a quorum had by the end of the incarnation.
TEST(Safety, I4_AFenceBetweenIncarnationsRecordsWhatNobodySaw) {
  World world(script());
  run_until_semisync(world);
  world.run_for(300 * kMs);
  SourceHost& source = world.source();
  world.server().set_sync_binlog(0);  // ends the incarnation
  world.run_until([&] { return !source.running(); }, kSoonNs, "the incarnation's end");
  const Position seen = exposed_since(*source.state());
  ASSERT_TRUE(source.state()->unaccounted);
  ASSERT_LT(seen, source.state()->quorum);
  source.fence({0, "an operator fenced it between two incarnations"});
  ASSERT_FALSE(source.ledger()->open_intervals().empty());
  EXPECT_EQ(source.ledger()->open_intervals().front().from, seen);
}

// Cuts the source off from its replicas until it degrades, and then suspends its whole machine.
void freeze_degraded(World& world, std::uint64_t length_ns) {
  cut_off_all_replicas(world);
  world.run_until([&] { return world.source().fallback_state() == FallbackState::async; }, kSoonNs,
                  "ASYNC");
  world.source().paused_until_ns = world.server().paused_until_ns =
      world.clock().time_ns + length_ns;
}

// S21: the source wakes up, and another host is the source. It takes no writes although it hears
// nobody, and is FENCED as soon as it hears a replica.
TEST(Safety, S21_AWokenSourceTakesNoWritesBeforeAReplicaAnswers) {
  World world(script());
  run_until_semisync(world);
  world.run_for(300 * kMs);
  freeze_degraded(world, 20 * kNanosPerSecond);
  const SourceHost& candidate = world.promote(0);
  world.run_until([&] { return decided(candidate); }, kSoonNs, "the promotion");
  ASSERT_TRUE(candidate.begun()) << candidate.view().refusal;
  world.run_for(PauseDetector::kPauseNs);  // a shorter pause does not count
  world.source().paused_until_ns = world.server().paused_until_ns = 0;
  world.checks().on_source_wakes();
  EXPECT_EQ(world.checks().counts().wakings, 1U);
  run_until_closed(world);
  const Position end = world.server().written();
  world.run_for(3 * kNanosPerSecond);
  EXPECT_TRUE(world.source().guard().unanswered());
  EXPECT_EQ(written_after(world, end), 0U);
  world.blocks.clear();
  world.run_until([&] { return world.source().fenced(); }, kSoonNs, "FENCED");
}

// S21: no host has replaced the source. The answer of one replica is enough for it to take writes
// again, without a quorum.
TEST(Safety, S21_OneReplicasAnswerIsEnough) {
  World world(script());
  run_until_semisync(world);
  world.run_for(300 * kMs);
  freeze_degraded(world, 3 * kNanosPerSecond);
  world.run_until([&] { return world.source().guard().unanswered(); }, kSoonNs, "the waking up");
  run_until_closed(world);
  const Position end = world.server().written();
  // Two of the three replicas stay away.
  world.blocks.clear();
  for (std::size_t i = 1; i < world.replicas().size(); ++i) {
    const std::uint32_t away = world.replicas()[i]->endpoint().ipv4;
    world.blocks.push_back({away, 0});
    world.blocks.push_back({0, away});
  }
  world.run_until([&] { return written_after(world, end) > 0; }, kSoonNs, "writes");
  EXPECT_NE(world.source().fallback_state(), FallbackState::semisync);
}

// S21: a source in quorum needs nothing, because only an ACK in its term releases a commit.
TEST(Safety, S21_AWokenSourceInQuorumNeedsNothing) {
  World world(script());
  run_until_semisync(world);
  world.source().paused_until_ns = world.server().paused_until_ns =
      world.clock().time_ns + 1500 * kMs;
  world.run_for(3 * kNanosPerSecond);
  EXPECT_FALSE(world.source().guard().closed());
  EXPECT_FALSE(world.server().read_only());
  run_until_healthy(world);
}

}  // namespace
}  // namespace binlane::sim
