// TransferRequest and TransferProgress: how long a log is served, and when the joiner has
// everything.
#include "control/replica/log_transfer.h"

#include <gtest/gtest.h>

namespace binlane {
namespace {

constexpr Position kEnd{3, 900};
constexpr Epoch kBefore{1, 7};
constexpr Epoch kLent{4, 0};

TEST(TransferRequest, IsWantedAsLongAsItIsAskedFor) {
  TransferRequest transfer;
  EXPECT_FALSE(transfer.wanted(1));
  transfer.asked_ns = 100;
  EXPECT_TRUE(transfer.wanted(100 + kTransferSilenceNs - 1));
  EXPECT_FALSE(transfer.wanted(100 + kTransferSilenceNs));
}

// A log that differs from the donor's may be just as long. [mutant fetch_by_length]
TEST(TransferProgress, IsDoneInTheDonorsSessionOnly) {
  TransferProgress fetch(kLent.term, kEnd, 0);
  EXPECT_EQ(fetch.look(kBefore, {3, 950}, 1), TransferProgress::State::waiting);
  EXPECT_EQ(fetch.look(kLent, {3, 899}, 2), TransferProgress::State::waiting);
  EXPECT_EQ(fetch.look(kLent, {3, 900}, 3), TransferProgress::State::done);
}

TEST(TransferProgress, StallsWhenNothingComes) {
  TransferProgress fetch(kLent.term, kEnd, 0);
  EXPECT_EQ(fetch.look(kBefore, {1, 10}, 1), TransferProgress::State::waiting);
  EXPECT_EQ(fetch.look(kBefore, {1, 10}, 1 + kTransferStallNs), TransferProgress::State::waiting);
  EXPECT_EQ(fetch.look(kLent, {1, 11}, 2 + kTransferStallNs), TransferProgress::State::waiting);
  EXPECT_EQ(fetch.look(kLent, {1, 11}, 2 + 2 * kTransferStallNs), TransferProgress::State::waiting);
  EXPECT_EQ(fetch.look(kLent, {1, 11}, 3 + 2 * kTransferStallNs), TransferProgress::State::stalled);
}

}  // namespace
}  // namespace binlane
