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

}  // namespace
}  // namespace binlane
