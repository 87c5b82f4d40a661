// Tests of who the watchdog says hangs, the last one with a real thread that hangs in a ledger's
// disk.
#include "control/daemon/watchdog.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <future>
#include <thread>

#include "base/heartbeat.h"
#include "control/exposure/ledger.h"
#include "support/temporary_directory.h"

namespace binlane {
namespace {

constexpr std::uint64_t kLong = Watchdog::kThreadLimitNs;

TEST(Watchdog, ALaneMustTurnBetweenTwoLooks) {
  Watchdog dog;
  EXPECT_TRUE(dog.look({{5, 5}, {}}).lanes.empty()) << "the first look only remembers";
  EXPECT_TRUE(dog.look({{6, 6}, {}}).lanes.empty());
  EXPECT_EQ(dog.look({{7, 6}, {}}).lanes, std::vector<std::string>{"lane 1"});
  EXPECT_TRUE(dog.look({{8, 7}, {}}).lanes.empty());
}

TEST(Watchdog, AThreadMayWaitForADiskButNotForEver) {
  Watchdog dog;
  const auto look = [&dog](std::uint64_t silent_ns) {
    return dog.look({{}, {{"archive", 0}, {"source control", silent_ns}}}).threads;
  };
  EXPECT_TRUE(look(kLong - 1).empty());
  EXPECT_TRUE(look(kLong).empty()) << "after a pause of the process a look may come too early";
  ASSERT_EQ(look(kLong + 1).size(), 1U);
  EXPECT_EQ(look(kLong + 1)[0], "source control for 30 s");
  EXPECT_TRUE(look(0).empty());
  EXPECT_TRUE(look(kLong).empty());
}

TEST(Heartbeat, RestsBeforeAndAfterItsThread) {
  Heartbeat heart;
  EXPECT_EQ(heart.silent_ns(monotonic_ns() + kLong), 0U);
  {
    const HeartbeatScope alive(heart);
    EXPECT_GE(heart.silent_ns(monotonic_ns() + kLong), kLong - kNanosPerSecond);
  }
  EXPECT_EQ(heart.silent_ns(monotonic_ns() + kLong), 0U);
  still_alive();  // of a thread without a heart: nothing
}

std::promise<void>* g_in_the_disk = nullptr;
std::shared_future<void>* g_disk_answers = nullptr;

TEST(Watchdog, AThreadThatHangsInTheLedgersDiskIsNamed) {
  TemporaryDirectory directory;
  std::promise<void> in_the_disk;
  std::promise<void> answer;
  std::shared_future<void> disk_answers = answer.get_future().share();
  Ledger ledger(directory.file("ledger"),
                {[](int fd, const void* data, std::size_t length) -> ssize_t {
                   return ::write(fd, data, length);
                 },
                 [](int) {
                   if (g_in_the_disk == nullptr) return 0;
                   g_in_the_disk->set_value();
                   g_disk_answers->wait();
                   return 0;
                 }});
  ASSERT_TRUE(ledger.begin_stream(Uuid::random()));
  g_in_the_disk = &in_the_disk;
  g_disk_answers = &disk_answers;
  Heartbeat heart;
  std::thread control([&] {
    const HeartbeatScope alive(heart);
    EXPECT_TRUE(ledger.expose({1, 4}, {1, 1}, ExposureKind::own, "no quorum").has_value());
    g_in_the_disk = nullptr;
  });
  in_the_disk.get_future().wait();

  Watchdog dog;
  const auto look = [&](std::uint64_t later_ns) {
    return dog.look({{}, {{"source control", heart.silent_ns(monotonic_ns() + later_ns)}}}).threads;
  };
  EXPECT_TRUE(look(0).empty());
  EXPECT_TRUE(look(kLong).empty());
  ASSERT_EQ(look(2 * kLong).size(), 1U);
  EXPECT_EQ(look(2 * kLong)[0].rfind("source control for ", 0), 0U);
  answer.set_value();
  control.join();
  EXPECT_TRUE(look(3 * kLong).empty()) << "a thread that has ended hangs nowhere";
}

}  // namespace
}  // namespace binlane
