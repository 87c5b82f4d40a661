// PeerList: which sender is a peer, and which one.
#include "dataplane/session/peer_list.h"

#include <gtest/gtest.h>

namespace binlane {
namespace {

constexpr std::uint32_t kA = 0x0a000001;
constexpr std::uint32_t kB = 0x0a000002;

TEST(PeerList, HearsNobodyUntilPeersAreAdded) {
  const PeerList list;
  EXPECT_FALSE(list.hears(0, {kA, 7100}));
  EXPECT_FALSE(list.hears_anybody());
}

TEST(PeerList, TellsWhichPeerASenderIs) {
  PeerList list;
  ASSERT_TRUE(list.add({0, kA, 7200}));
  ASSERT_TRUE(list.add({1, kB, 0}));
  EXPECT_EQ(list.find(0, {kA, 7200}), 0U);
  EXPECT_EQ(list.find(1, {kB, 40'000}), 1U);  // any port number of that host
  EXPECT_FALSE(list.find(0, {kA, 7201}));     // another program on a peer's host
  EXPECT_FALSE(list.find(1, {kA, 7200}));     // a peer's address on another port of ours
  EXPECT_FALSE(list.find(0, {kB, 7200}));
  EXPECT_FALSE(list.hears(0, {kB + 1, 7200}));
}

TEST(PeerList, IsBounded) {
  PeerList list;
  for (std::uint32_t i = 0; i < PeerList::kMaxPeers; ++i) ASSERT_TRUE(list.add({0, kA + i, 1}));
  EXPECT_FALSE(list.add({0, kA + 1000, 1}));
  EXPECT_FALSE(list.hears(0, {kA + 1000, 1}));
  EXPECT_TRUE(list.hears(0, {kA + PeerList::kMaxPeers - 1, 1}));
}

TEST(PeerList, AnybodyIsSaidExplicitly) {
  EXPECT_TRUE(PeerList::anybody().hears(3, {kB, 9}));
  EXPECT_FALSE(PeerList::anybody().find(3, {kB, 9}));  // heard, but no known peer
}

}  // namespace
}  // namespace binlane
