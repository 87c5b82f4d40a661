// ReadOnlySetter where the kernel refuses a thread; what it does at a server is the system tests'.
#include "control/read_only_setter.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/clock.h"
#include "scarcity.h"
#include "temporary_directory.h"

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
