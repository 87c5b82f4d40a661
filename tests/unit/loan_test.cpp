// Loan and Fetch: how long a log is lent, and when what was lent is there.
#include "control/loan.h"

#include <gtest/gtest.h>

namespace binlane {
namespace {

constexpr Position kEnd{3, 900};
constexpr Epoch kBefore{1, 7};
constexpr Epoch kLent{4, 0};

TEST(Loan, IsWantedAsLongAsItIsAskedFor) {
  Loan loan;
  EXPECT_FALSE(loan.wanted(1));
  loan.asked_ns = 100;
  EXPECT_TRUE(loan.wanted(100 + kLoanSilenceNs - 1));
  EXPECT_FALSE(loan.wanted(100 + kLoanSilenceNs));
}

// A log that parts from the lender's may be as long. Canary: fetch_by_length.
TEST(Fetch, IsDoneInTheLendersSessionOnly) {
  Fetch fetch(kLent.term, kEnd, 0);
  EXPECT_EQ(fetch.look(kBefore, {3, 950}, 1), Fetch::State::waiting);
  EXPECT_EQ(fetch.look(kLent, {3, 899}, 2), Fetch::State::waiting);
  EXPECT_EQ(fetch.look(kLent, {3, 900}, 3), Fetch::State::done);
}

TEST(Fetch, StallsWhenNothingComes) {
  Fetch fetch(kLent.term, kEnd, 0);
  EXPECT_EQ(fetch.look(kBefore, {1, 10}, 1), Fetch::State::waiting);
  EXPECT_EQ(fetch.look(kBefore, {1, 10}, 1 + kFetchStallNs), Fetch::State::waiting);
  EXPECT_EQ(fetch.look(kLent, {1, 11}, 2 + kFetchStallNs), Fetch::State::waiting);
  EXPECT_EQ(fetch.look(kLent, {1, 11}, 2 + 2 * kFetchStallNs), Fetch::State::waiting);
  EXPECT_EQ(fetch.look(kLent, {1, 11}, 3 + 2 * kFetchStallNs), Fetch::State::stalled);
}

}  // namespace
}  // namespace binlane
