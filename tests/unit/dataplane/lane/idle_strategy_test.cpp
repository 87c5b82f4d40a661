// Tests of what a lane does between two turns, and of its giving way to the server.
#include "dataplane/lane/idle_strategy.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "control/daemon/cpu_priority.h"

namespace binlane {
namespace {

// Naps that the strategy takes in `turns` turns of this kind.
int naps(IdleStrategy& idle, std::size_t work, std::size_t batch, int turns) {
  int count = 0;
  for (int i = 0; i < turns; ++i) idle.after_turn(work, batch, [&](std::uint64_t) { ++count; });
  return count;
}

TEST(IdleStrategy, AutomaticYieldsWhileCommitsComeOneByOne) {
  IdleStrategy idle(IdleMode::automatic, 50);
  for (int commit = 0; commit < 100; ++commit) {
    EXPECT_EQ(naps(idle, 1, 1, 1), 0);
    EXPECT_EQ(naps(idle, 0, 0, 10), 0);
  }
}

TEST(IdleStrategy, AutomaticNapsWhileTheyComeInCrowds) {
  IdleStrategy idle(IdleMode::automatic, 50);
  naps(idle, 1, 8, 100);
  EXPECT_EQ(naps(idle, 0, 0, 10), 10);
  naps(idle, 1, 1, 100);
  EXPECT_EQ(naps(idle, 0, 0, 10), 0) << "the crowd is over";
}

TEST(IdleStrategy, AutomaticNapsWhenNothingHasHappenedForAWhile) {
  IdleStrategy idle(IdleMode::automatic, 50);
  EXPECT_GT(naps(idle, 0, 0, 50'000), 0);
}

TEST(IdleStrategy, ANapIsAsLongAsConfigured) {
  IdleStrategy idle(IdleMode::nap, 50);
  std::uint64_t length_ns = 0;
  idle.after_turn(0, 0, [&](std::uint64_t nap_ns) { length_ns = nap_ns; });
  EXPECT_EQ(length_ns, 50 * kNanosPerMicro);
}

TEST(CpuPriority, NotWithCoresToSpare) {
  EXPECT_EQ(give_way_to_server(kCoresToSpare), GivenWay::not_needed);
}

// In a process of its own: what is given away is not had back without a privilege.
TEST(CpuPriority, TheLeastShareInASessionOfItsOwn) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    bool right = give_way_to_server(1) == GivenWay::not_a_group;  // the session is its parent's
    ::setsid();
    const GivenWay given = give_way_to_server(1);
    std::string group;
    std::getline(std::ifstream("/proc/self/autogroup"), group);
    const bool least = group.size() > 8 && group.substr(group.size() - 8) == " nice 19";
    right = right &&
            (group.empty() ? given == GivenWay::not_a_group : given == GivenWay::done && least);
    ::_exit(right ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace binlane
