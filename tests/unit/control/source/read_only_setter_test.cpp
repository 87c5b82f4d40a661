// ReadOnlySetter when the kernel refuses a thread; the system tests cover what it does at a server.
#include "control/source/read_only_setter.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/clock.h"
#include "support/scarcity.h"
#include "support/temporary_directory.h"

namespace binlane {
namespace {

constexpr std::uint64_t kBoundNs = 20 * kNanosPerSecond;

TEST(ReadOnlySetter, WithoutAThreadItHasFailedAndMayBeginAgain) {
  const TemporaryDirectory folder;
  ServerAccount account;
  account.socket = folder.file("no-server");
  ReadOnlySetter setter(account);
  {
    const NoThreads none;
    setter.begin();
    EXPECT_EQ(setter.state(), ReadOnlySetter::State::failed);
    EXPECT_NE(setter.problem().find("no thread can be started"), std::string::npos);
  }
  setter.begin();
  const std::uint64_t end_ns = monotonic_ns() + kBoundNs;
  while (setter.state() == ReadOnlySetter::State::sending && monotonic_ns() < end_ns)
    std::this_thread::yield();
  EXPECT_EQ(setter.state(), ReadOnlySetter::State::failed);
  EXPECT_NE(setter.problem().find("no-server"), std::string::npos) << setter.problem();
}

TEST(ReadOnlySetter, FindsItsStatementAmongTheServersThreads) {
  const auto row = [](const char* id, const char* command, const char* state) {
    return SqlRow{id, "binlane", "localhost", std::nullopt, command, "0", state, "SET GLOBAL …"};
  };
  QueryResult processes;
  processes.rows = {row("7", "Query", "Waiting for global read lock"), row("8", "Query", "init"),
                    row("9", "Sleep", "Waiting"), SqlRow{"10"}};
  EXPECT_TRUE(ReadOnlySetter::waits_in(processes, "7"));
  for (const char* const other : {"8", "9", "10", "77"})
    EXPECT_FALSE(ReadOnlySetter::waits_in(processes, other)) << other;
}

}  // namespace
}  // namespace binlane
