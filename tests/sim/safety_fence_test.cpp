// The safety rules about what keeps a source from letting commits go: S18 (a fence without a disk)
// and S21 (waking up).
#include <cerrno>

#include "safety_script.h"

namespace binlane::sim {
namespace {

using namespace scripted;

// The clients that waited when the source was fenced have been answered, and the server is closed.
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

// S18: the source's disk fails on everything, and an operator fences it. No commit is acknowledged
// any more, the server is read-only, and the record follows when the disk is well again.
TEST(Safety, S18_AFenceWithoutADiskStillFences) {
  World world(script());
  run_until_semisync(world);
  world.run_for(300 * kMs);
  SourceHost& source = world.source();
  source.state_failing = source.role_failing = true;
  SourceHost::fail_ledger(EIO);
  world.run_for(300 * kMs);
  source.fence({0, "an operator fenced it: its disk is going"});
  const std::size_t acked = answered(world, Answer::acked);
  // A group that is being written goes on to its end.
  world.run_until([&] { return !world.server().within_group(); }, kSoonNs, "whole groups");
  const Position end = world.server().written();
  run_until_closed(world);
  world.run_for(2 * kNanosPerSecond);
  EXPECT_TRUE(source.fenced());
  EXPECT_FALSE(source.role_on_record());
  EXPECT_EQ(answered(world, Answer::acked), acked);
  EXPECT_EQ(written_after(world, end), 0U);

  source.state_failing = source.role_failing = false;
  SourceHost::fail_ledger(0);
  world.run_until([&] { return source.role_on_record(); }, kSoonNs, "the record");
  source.kill();
  source.start();
  EXPECT_TRUE(source.fenced());
  world.run_for(2 * kNanosPerSecond);
  EXPECT_EQ(answered(world, Answer::acked), acked);
}

// S18: the same by a later term that a replica has promised itself to.
TEST(Safety, S18_ALaterTermFencesWithoutADisk) {
  World world(script());
  run_until_semisync(world);
  world.run_for(300 * kMs);
  SourceHost& source = world.source();
  source.state_failing = source.role_failing = true;
  Candidate& candidate = world.promote(0);
  world.run_until([&] { return source.fenced_by() == candidate.term(); }, kSoonNs, "FENCED");
  EXPECT_FALSE(source.role_on_record());
  const std::size_t acked = answered(world, Answer::acked);
  run_until_closed(world);
  world.run_for(2 * kNanosPerSecond);
  EXPECT_EQ(answered(world, Answer::acked), acked);
  source.role_failing = false;
  world.run_until([&] { return source.role_on_record(); }, kSoonNs, "the record");
}

// S18: without a state on record no incarnation can begin, and nobody looks at what the server lets
// go: then it takes no writes.
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

// Cut off from its replicas the source degrades, and then its whole machine stands still.
void freeze_degraded(World& world, std::uint64_t length_ns) {
  cut_off_all_replicas(world);
  world.run_until([&] { return world.source().fallback_state() == FallbackState::async; }, kSoonNs,
                  "ASYNC");
  world.source().paused_until_ns = world.server().paused_until_ns =
      world.clock().time_ns + length_ns;
}

// S21: it wakes up, and another host is the source: it takes no writes although it hears nobody,
// and is FENCED as soon as it does.
TEST(Safety, S21_AWokenSourceTakesNoWritesBeforeAReplicaAnswers) {
  World world(script());
  run_until_semisync(world);
  world.run_for(300 * kMs);
  freeze_degraded(world, 20 * kNanosPerSecond);
  const Candidate& candidate = world.promote(0);
  world.run_until(
      [&] {
        return candidate.phase() == Candidate::Phase::active ||
               candidate.phase() == Candidate::Phase::given_up;
      },
      kSoonNs, "the promotion");
  ASSERT_EQ(candidate.phase(), Candidate::Phase::active) << candidate.refusal();
  world.run_for(PauseDetector::kPauseNs);  // a shorter pause is none
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

// S21: nobody has replaced it. One replica's answer is enough to take writes again, without a
// quorum.
TEST(Safety, S21_OneReplicasAnswerIsEnough) {
  World world(script());
  run_until_semisync(world);
  world.run_for(300 * kMs);
  freeze_degraded(world, 3 * kNanosPerSecond);
  world.run_until([&] { return world.source().guard().unanswered(); }, kSoonNs, "the waking up");
  run_until_closed(world);
  const Position end = world.server().written();
  // Two of the three stay away.
  world.blocks.clear();
  for (std::size_t i = 1; i < world.replicas().size(); ++i) {
    const std::uint32_t away = world.replicas()[i]->endpoint().ipv4;
    world.blocks.push_back({away, 0});
    world.blocks.push_back({0, away});
  }
  world.run_until([&] { return written_after(world, end) > 0; }, kSoonNs, "writes");
  EXPECT_NE(world.source().fallback_state(), FallbackState::semisync);
}

// S21: in quorum it needs nothing: nobody is let go but by an ACK in its term.
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
