// The shared page: its layout, what its words mean, and its operations one at a time.

#include "binlane/shim_page.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

namespace binlane::shim_page {
namespace {

constexpr std::uint64_t kLongNs = 60'000'000'000;
constexpr std::uint64_t kBegunNs = 5'000'000'000;

// A wait that nothing ends but the answer.
struct Patient {
  int spins = 0;
  bool now() { return false; }
  bool spin() { return spins-- > 0; }
  std::uint64_t nap_ns() { return kLongNs; }
};

struct Impatient {
  bool now() { return true; }
  bool spin() { return false; }
  std::uint64_t nap_ns() { return 1; }
};

class ShimPage : public testing::Test {
 protected:
  Page& page() { return *page_; }
  Entry answered() { return read(atomics_, page().answer)->entry; }
  Place rung() { return read(atomics_, page().doorbell)->entry.place; }

  HardwareAtomics atomics_;

 private:
  std::unique_ptr<Page> page_ = std::make_unique<Page>();
};

TEST_F(ShimPage, ItsMagicCanBeReadInADump) {
  const std::uint64_t magic = kMagic;
  EXPECT_STREQ(reinterpret_cast<const char*>(&magic), "BLNSHIM");
}

TEST_F(ShimPage, AFreshPageSaysNothing) {
  EXPECT_EQ(answered(), Entry{});
  EXPECT_EQ(rung(), Place{});
  EXPECT_FALSE(daemon_is_alive(atomics_, page(), 1));
  EXPECT_EQ(judge(answered(), {1, 1, 4}), std::nullopt);
}

TEST_F(ShimPage, EveryBitOfAnEntryArrives) {
  const Entry entry{{0x89abcdef, 0x7fffffff, 0xfedcba9876543210},
                    {State::do_not_wait, WaitPoint::after_commit, 0xfedc, 0xfffffffe}};
  answer(atomics_, page(), entry);
  EXPECT_EQ(answered(), entry);
  const Settings settings{0x89abcdef, 0xfedc, true, false, true, false};
  EXPECT_EQ(Settings::unpack(settings.pack()), settings);
  const Settings others{1, 2, false, true, false, true};
  EXPECT_EQ(Settings::unpack(others.pack()), others);
}

TEST_F(ShimPage, OrdersOfAnotherVersionAreNone) {
  EXPECT_EQ(Orders::unpack(0x0303), Orders{});
  EXPECT_EQ(Orders::unpack(~std::uint64_t{0}),
            (Orders{State::unsaid, WaitPoint::unsaid, 0xffff, 0xffffffff}));
}

TEST_F(ShimPage, OnlyAnAnswerOfTheSameIncarnationReleases) {
  const Place place{7, 3, 1000};
  const auto judged = [&](const Place& answer, State state) {
    return judge({answer, {state, WaitPoint::unsaid, 0, 0}}, place);
  };
  EXPECT_EQ(judged({7, 3, 999}, State::wait), std::nullopt);
  EXPECT_EQ(judged({7, 3, 1000}, State::wait), WaitEnd::quorum);
  EXPECT_EQ(judged({7, 4, 4}, State::wait), WaitEnd::quorum);
  EXPECT_EQ(judged({7, 2, 5000}, State::wait), std::nullopt);
  EXPECT_EQ(judged({7, 3, 1000}, State::do_not_wait), WaitEnd::quorum);
  EXPECT_EQ(judged({7, 3, 999}, State::do_not_wait), WaitEnd::not_asked);
  EXPECT_EQ(judged({7, 3, 999}, State::unsaid), std::nullopt);
  // Not even its orders count.
  EXPECT_EQ(judged({6, 9, 9000}, State::wait), std::nullopt);
  EXPECT_EQ(judged({6, 9, 9000}, State::do_not_wait), std::nullopt);
  EXPECT_EQ(judged({8, 9, 9000}, State::wait), WaitEnd::other_incarnation);
}

TEST_F(ShimPage, APositionThatDoesNotGrowBeginsAnIncarnation) {
  const Place last{4, 10, 500};
  EXPECT_EQ(next_place(last, 10, 501), (Place{4, 10, 501}));
  EXPECT_EQ(next_place(last, 11, 4), (Place{4, 11, 4}));
  EXPECT_EQ(next_place(last, 10, 499), (Place{5, 10, 499}));
  EXPECT_EQ(next_place(last, 1, 700), (Place{5, 1, 700}));
  // After RESET BINARY LOGS TO 10 these are other bytes.
  EXPECT_EQ(next_place(last, 10, 500), (Place{5, 10, 500}));
  // 999999 and 1000000 are compared as numbers. [S17]
  EXPECT_EQ(next_place({4, 999'999, 500}, 1'000'000, 4), (Place{4, 1'000'000, 4}));
}

TEST_F(ShimPage, AServerBeginsAboveEverythingOnThePage) {
  EXPECT_EQ(begin_server(atomics_, page(), 1), (Place{1, 0, 0}));
  ring(atomics_, page(), {1, 5, 100});
  EXPECT_EQ(begin_server(atomics_, page(), 2), (Place{2, 0, 0}));
  EXPECT_EQ(rung(), (Place{2, 0, 0}));
  // The lines of a page on a disk may be of different times after a power cut.
  answer(atomics_, page(), {{9, 5, 100}, {}});
  EXPECT_EQ(begin_server(atomics_, page(), 3), (Place{10, 0, 0}));
  EXPECT_EQ(page().server.pid.load(), 3U);
}

TEST_F(ShimPage, AServerStartsWithoutItsPredecessorsSleepers) {
  page().server.sleepers = 32;
  page().server.exposed = 5;
  begin_server(atomics_, page(), 1);
  EXPECT_EQ(page().server.sleepers.load(), 0U);
  EXPECT_EQ(page().server.exposed.load(), 0U);
}

TEST_F(ShimPage, ADaemonsAnswersOutliveIt) {
  const Entry entry{{1, 5, 100}, {State::wait, WaitPoint::after_sync, 2, 1000}};
  answer(atomics_, page(), entry);
  page().daemon.sleepers = 1;
  begin_daemon(atomics_, page(), 7);
  EXPECT_EQ(answered(), entry);
  EXPECT_EQ(page().daemon.sleepers.load(), 0U);
}

TEST_F(ShimPage, AHeartbeatThatIsOldOrOfAnotherBootIsNone) {
  beat(atomics_, page(), kBegunNs);
  EXPECT_TRUE(daemon_is_alive(atomics_, page(), kBegunNs));
  EXPECT_TRUE(daemon_is_alive(atomics_, page(), kBegunNs + kDeadNs));
  EXPECT_FALSE(daemon_is_alive(atomics_, page(), kBegunNs + kDeadNs + 1));
  // The reader's clock was read before the beat.
  EXPECT_TRUE(daemon_is_alive(atomics_, page(), kBegunNs - 1));
  EXPECT_FALSE(daemon_is_alive(atomics_, page(), kBegunNs - kDeadNs - 1));
}

TEST_F(ShimPage, AWaitEndsByItsOwnerAndLeavesNoSleeper) {
  Impatient stop;
  EXPECT_EQ(wait_for_quorum(atomics_, page(), {1, 1, 4}, stop), WaitEnd::stopped);
  EXPECT_EQ(page().server.sleepers.load(), 0U);
}

// With real threads and a real futex: each of 2000 answers wakes the sleeper that waits for it.
TEST_F(ShimPage, SleepersOfBothSidesAreWoken) {
  constexpr std::uint64_t kRounds = 2000;
  std::thread daemon([this] {
    for (std::uint64_t done = 0; done < kRounds;) {
      const auto reading = read(atomics_, page().doorbell);
      if (reading && reading->entry.place.offset > done) {
        done = reading->entry.place.offset;
        answer(atomics_, page(), {reading->entry.place, {}});
      } else if (reading) {
        sleep_until_rung(atomics_, page(), reading->sequence, kLongNs);
      }
    }
  });
  for (std::uint64_t round = 1; round <= kRounds; ++round) {
    const Place place{1, 1, round};
    ring(atomics_, page(), place);
    Patient stop{static_cast<int>(round % 3)};
    ASSERT_EQ(wait_for_quorum(atomics_, page(), place, stop), WaitEnd::quorum);
  }
  daemon.join();
  EXPECT_EQ(page().server.sleepers.load(), 0U);
  EXPECT_EQ(page().daemon.sleepers.load(), 0U);
}

}  // namespace
}  // namespace binlane::shim_page
