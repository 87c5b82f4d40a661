// The answer of a fence claims nothing about a server that has ended, or that nobody knows.
#include "control/source/fence_words.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace binlane {
namespace {

bool has(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

// Field 22 of /proc/<pid>/stat; the name in field 2 has no blank here.
std::uint64_t start_ticks(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string field;
  for (int i = 0; i < 22; ++i) stat >> field;
  return std::stoull(field);
}

TEST(FenceWords, OnlyAServerThatLivesTellsClientsOk) {
  const std::string alive = waiting_clients_text(ServerLife::alive, 2, 15'000);
  EXPECT_TRUE(has(alive, "2 commits wait for a quorum: their clients are told OK")) << alive;
  EXPECT_TRUE(has(alive, "(15000 ms from now)")) << alive;
  const std::string ended = waiting_clients_text(ServerLife::ended, 2, 15'000);
  EXPECT_FALSE(has(ended, "told OK")) << ended;
  EXPECT_FALSE(has(ended, "from now")) << ended;
  EXPECT_TRUE(has(ended, "not known")) << ended;
  const std::string unknown = waiting_clients_text(ServerLife::unknown, 2, 15'000);
  EXPECT_TRUE(has(unknown, "If it does")) << unknown;
  EXPECT_FALSE(has(unknown, "from now")) << unknown;
}

TEST(FenceWords, OnlyAServerThatLivesBecomesReadOnly) {
  EXPECT_EQ(fenced_server_text(ServerLife::alive), ", and its server becomes read-only");
  EXPECT_TRUE(has(fenced_server_text(ServerLife::ended), "has ended"));
  EXPECT_TRUE(has(fenced_server_text(ServerLife::unknown), "not known"));
}

// A child that has ended and was not waited for, as a server's process is for its parent.
TEST(FenceWords, OnlyAProcessThatWasAliveWasKilled) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    for (;;) ::pause();
  }
  const PeerProcess process{child, start_ticks(child)};
  KillOutcome outcome = KillOutcome::gone;
  EXPECT_EQ(kill_server_process(process, outcome), "");
  EXPECT_EQ(outcome, KillOutcome::killed);
  EXPECT_TRUE(has(killed_server_text({child, outcome}), "no client that waited was told OK"));
  EXPECT_EQ(kill_server_process(process, outcome), "");
  EXPECT_EQ(outcome, KillOutcome::gone);
  const std::string gone = killed_server_text({child, outcome});
  EXPECT_TRUE(has(gone, "had ended already")) << gone;
  EXPECT_FALSE(has(gone, "no client")) << gone;
  EXPECT_EQ(::waitpid(child, nullptr, 0), child);
}

}  // namespace
}  // namespace binlane
