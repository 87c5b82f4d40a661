// ARP without a wire: two tables exchange frames, and the limits hold.
#include "dataplane/port/arp.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace binlane {
namespace {

constexpr std::uint32_t kIpA = 0xc6120001;
constexpr std::uint32_t kIpB = 0xc6120002;
constexpr MacAddress kMacA{{0x02, 0, 0, 0, 0, 0xa}};
constexpr MacAddress kMacB{{0x02, 0, 0, 0, 0, 0xb}};
constexpr MacAddress kMacNew{{0x02, 0, 0, 0, 0, 0xc}};

using Frame = std::array<std::byte, kArpFrameSize>;

std::vector<Frame> poll_all(ArpTable& table, std::uint64_t now_ns) {
  std::vector<Frame> frames;
  Frame frame;
  while (table.poll(now_ns, frame) != 0) {
    frames.push_back(frame);
    if (frames.size() > kArpMaxEntries + kArpMaxPendingReplies) break;
  }
  return frames;
}

ArpMessage message_of(const Frame& frame) {
  ArpMessage message;
  std::memcpy(&message, frame.data() + sizeof(EthernetHeader), sizeof message);
  return message;
}

Frame make(std::uint16_t operation, std::uint32_t sender, const MacAddress& sender_mac,
           std::uint32_t target) {
  Frame frame{};
  const EthernetHeader ethernet{kBroadcastMac, sender_mac, kEtherTypeArp};
  ArpMessage message;
  message.hardware_type = 1;
  message.protocol_type = kEtherTypeIpv4;
  message.hardware_length = 6;
  message.protocol_length = 4;
  message.operation = operation;
  message.sender_mac = sender_mac;
  message.sender_ipv4 = sender;
  message.target_ipv4 = target;
  std::memcpy(frame.data(), &ethernet, sizeof ethernet);
  std::memcpy(frame.data() + sizeof ethernet, &message, sizeof message);
  return frame;
}

TEST(Arp, TwoTablesFindEachOther) {
  ArpTable a(kMacA, kIpA);
  ArpTable b(kMacB, kIpB);
  EXPECT_EQ(a.resolve(kIpB), nullptr);
  EXPECT_TRUE(a.wants_poll());
  const auto requests = poll_all(a, 0);
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_TRUE(b.on_frame(requests[0], 0));
  const auto replies = poll_all(b, 0);
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_TRUE(a.on_frame(replies[0], 0));
  const MacAddress* found = a.resolve(kIpB);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(*found, kMacB);
  // b learned a from the request, which serves until a itself has answered.
  found = b.resolve(kIpA);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(*found, kMacA);
  EXPECT_FALSE(a.wants_poll());
  EXPECT_TRUE(b.wants_poll());
  ASSERT_EQ(poll_all(b, 0).size(), 1U);
  EXPECT_FALSE(b.wants_poll());
  b.on_frame(make(2, kIpA, kMacA, kIpB), 0);
  EXPECT_EQ(poll_all(b, kArpRequestIntervalNs).size(), 0U);
}

// What is known from a request alone may be anybody's claim.
TEST(Arp, WhatWasOnlyHeardIsAskedForWhenItIsUsed) {
  ArpTable a(kMacA, kIpA);
  a.on_frame(make(1, kIpB, kMacNew, kIpA), 0);  // before we ever send to it
  poll_all(a, 0);
  EXPECT_EQ(*a.resolve(kIpB), kMacNew);
  ASSERT_EQ(poll_all(a, 1).size(), 1U);
  a.on_frame(make(2, kIpB, kMacB, kIpA), 2);
  EXPECT_EQ(*a.resolve(kIpB), kMacB);
}

TEST(Arp, ReplyGoesToTheAskerAlone) {
  ArpTable a(kMacA, kIpA);
  ASSERT_TRUE(a.on_frame(make(1, kIpB, kMacB, kIpA), 0));
  const auto replies = poll_all(a, 0);
  ASSERT_EQ(replies.size(), 1U);
  EthernetHeader ethernet;
  std::memcpy(&ethernet, replies[0].data(), sizeof ethernet);
  EXPECT_EQ(ethernet.destination, kMacB);
  EXPECT_EQ(ethernet.source, kMacA);
  const ArpMessage message = message_of(replies[0]);
  EXPECT_EQ(message.operation, 2);
  EXPECT_EQ(message.sender_ipv4, kIpA);
  EXPECT_EQ(message.target_ipv4, kIpB);
}

TEST(Arp, RequestsAreRateLimited) {
  ArpTable a(kMacA, kIpA);
  for (int call = 0; call < 100; ++call) EXPECT_EQ(a.resolve(kIpB), nullptr);
  EXPECT_EQ(poll_all(a, 1000).size(), 1U);
  EXPECT_EQ(poll_all(a, 1000 + kArpRequestIntervalNs - 1).size(), 0U);
  EXPECT_EQ(poll_all(a, 1000 + kArpRequestIntervalNs).size(), 1U);
  EXPECT_EQ(a.counters().requests_sent, 2U);
}

TEST(Arp, OldEntriesAreRefreshedWhileTheyServe) {
  ArpTable a(kMacA, kIpA);
  EXPECT_EQ(a.resolve(kIpB), nullptr);
  ASSERT_EQ(poll_all(a, 0).size(), 1U);
  ASSERT_TRUE(a.on_frame(make(2, kIpB, kMacB, kIpA), 5));
  EXPECT_EQ(poll_all(a, kArpRefreshNs).size(), 0U);
  EXPECT_EQ(poll_all(a, 5 + kArpRefreshNs).size(), 1U);
  ASSERT_NE(a.resolve(kIpB), nullptr);
  ASSERT_TRUE(a.on_frame(make(2, kIpB, kMacNew, kIpA), 6 + kArpRefreshNs));
  EXPECT_EQ(*a.resolve(kIpB), kMacNew);
}

// A request that claims an address in use redirects nothing: the table asks.
TEST(Arp, ARequestDoesNotMoveAnAddressInUse) {
  ArpTable a(kMacA, kIpA);
  ASSERT_EQ(a.resolve(kIpB), nullptr);
  poll_all(a, 0);
  a.on_frame(make(2, kIpB, kMacB, kIpA), 0);
  ASSERT_EQ(*a.resolve(kIpB), kMacB);
  a.on_frame(make(1, kIpB, kMacNew, kIpA), 1);
  EXPECT_EQ(*a.resolve(kIpB), kMacB);
  EXPECT_EQ(a.counters().contradicted, 1U);
  EXPECT_TRUE(a.wants_poll());
  ASSERT_EQ(poll_all(a, kArpRequestIntervalNs).size(), 2U);  // the reply, and the question
  a.on_frame(make(2, kIpB, kMacB, kIpA), kArpRequestIntervalNs + 1);
  EXPECT_EQ(*a.resolve(kIpB), kMacB);
  // The first answer counts; a later one answers nothing.
  a.on_frame(make(2, kIpB, kMacNew, kIpA), kArpRequestIntervalNs + 2);
  EXPECT_EQ(*a.resolve(kIpB), kMacB);
}

TEST(Arp, APeerWithANewMacIsLearnedFromItsAnswer) {
  ArpTable a(kMacA, kIpA);
  ASSERT_EQ(a.resolve(kIpB), nullptr);
  poll_all(a, 0);
  a.on_frame(make(2, kIpB, kMacB, kIpA), 0);
  a.on_frame(make(1, kIpB, kMacNew, kIpA), 1);
  poll_all(a, kArpRequestIntervalNs);
  a.on_frame(make(2, kIpB, kMacNew, kIpA), kArpRequestIntervalNs + 1);
  EXPECT_EQ(*a.resolve(kIpB), kMacNew);
}

TEST(Arp, AnswersThatNobodyAskedForAreNotLearned) {
  ArpTable a(kMacA, kIpA);
  ASSERT_EQ(a.resolve(kIpB), nullptr);
  poll_all(a, 0);
  a.on_frame(make(2, kIpB, kMacB, kIpA), 0);
  for (std::uint64_t now_ns = 1; now_ns < 100; ++now_ns)
    a.on_frame(make(2, kIpB, kMacNew, kIpA), now_ns);
  EXPECT_EQ(*a.resolve(kIpB), kMacB);
}

TEST(Arp, IgnoresWhatIsNotForUs) {
  ArpTable a(kMacA, kIpA);
  const std::uint32_t stranger = kIpB + 1;
  EXPECT_TRUE(a.on_frame(make(1, kIpB, kMacB, stranger), 0));      // another's address
  EXPECT_TRUE(a.on_frame(make(1, kIpA, kMacB, kIpA), 0));          // claims our own
  EXPECT_TRUE(a.on_frame(make(1, 0, kMacB, kIpA), 0));             // a probe
  EXPECT_TRUE(a.on_frame(make(1, kIpB, kBroadcastMac, kIpA), 0));  // multicast sender
  EXPECT_TRUE(a.on_frame(make(2, kIpB, kMacB, kIpA), 0));          // never asked
  EXPECT_TRUE(a.on_frame(make(3, kIpB, kMacB, kIpA), 0));          // unknown operation
  const Frame whole = make(1, kIpB, kMacB, kIpA);
  EXPECT_TRUE(a.on_frame(ConstBytes(whole).first(kArpFrameSize - 1), 0));
  EXPECT_EQ(a.counters().ignored, 7U);
  EXPECT_EQ(a.counters().learned, 0U);
  EXPECT_EQ(poll_all(a, 0).size(), 0U);
  // Not ARP at all.
  EXPECT_FALSE(a.on_frame(ConstBytes(whole).first(13), 0));
  Frame ip = whole;
  ip[13] = std::byte{0};
  EXPECT_FALSE(a.on_frame(ip, 0));
}

TEST(Arp, StaticEntriesStay) {
  ArpTable a(kMacA, kIpA);
  ASSERT_TRUE(a.add_static(kIpB, kMacB));
  a.on_frame(make(1, kIpB, kMacNew, kIpA), 0);
  EXPECT_EQ(*a.resolve(kIpB), kMacB);
  EXPECT_EQ(poll_all(a, 10 * kArpRefreshNs).size(), 1U);  // the reply only
  // An entry that was wanted may become static.
  ASSERT_EQ(a.resolve(kIpB + 1), nullptr);
  EXPECT_TRUE(a.wants_poll());
  ASSERT_TRUE(a.add_static(kIpB + 1, kMacNew));
  EXPECT_EQ(*a.resolve(kIpB + 1), kMacNew);
  EXPECT_FALSE(a.wants_poll());
}

TEST(Arp, FloodPushesOutNothingWanted) {
  ArpTable a(kMacA, kIpA);
  a.resolve(kIpB);
  poll_all(a, 0);
  a.on_frame(make(2, kIpB, kMacB, kIpA), 0);
  for (std::uint32_t index = 0; index < 1000; ++index) {
    a.on_frame(make(1, 0x0a000000 + index, kMacNew, kIpA), index);
    poll_all(a, index);
  }
  ASSERT_NE(a.resolve(kIpB), nullptr);
  EXPECT_EQ(*a.resolve(kIpB), kMacB);
  // The latest heard is still there, the first is gone and must be asked for.
  EXPECT_NE(a.resolve(0x0a000000 + 999), nullptr);
  EXPECT_EQ(a.resolve(0x0a000000), nullptr);
}

// W11: replies to forged senders must not keep the next source from being answered.
TEST(Arp, AddressesThatNeverAnsweredMakeRoom) {
  ArpTable a(kMacA, kIpA);
  a.resolve(kIpB);
  poll_all(a, 0);
  a.on_frame(make(2, kIpB, kMacB, kIpA), 0);
  for (std::uint32_t index = 0; index < 10 * kArpMaxEntries; ++index) a.resolve(0x0a000000 + index);
  EXPECT_EQ(a.counters().table_full, 0U);
  EXPECT_EQ(a.resolve(0x0b000000), nullptr);  // a source at a new address
  EXPECT_LE(poll_all(a, 1).size(), kArpMaxEntries);
  a.on_frame(make(2, 0x0b000000, kMacNew, kIpA), 2);
  ASSERT_NE(a.resolve(0x0b000000), nullptr);
  EXPECT_EQ(*a.resolve(0x0b000000), kMacNew);
  EXPECT_EQ(*a.resolve(kIpB), kMacB);  // one that answers stays
}

TEST(Arp, ARequestPushesOutNothingThatIsWanted) {
  ArpTable a(kMacA, kIpA);
  a.resolve(kIpB);  // not answered yet
  for (std::uint32_t index = 0; index < 10 * kArpMaxEntries; ++index) {
    a.on_frame(make(1, 0x0a000000 + index, kMacNew, kIpA), index);
    poll_all(a, index);
  }
  a.on_frame(make(2, kIpB, kMacB, kIpA), 1'000);
  ASSERT_NE(a.resolve(kIpB), nullptr);
  EXPECT_EQ(*a.resolve(kIpB), kMacB);
}

TEST(Arp, FullOfAddressesThatAnswerRefusesMoreUntilTheyAreUnused) {
  ArpTable a(kMacA, kIpA);
  for (std::uint32_t index = 0; index < kArpMaxEntries; ++index) a.resolve(kIpB + index);
  EXPECT_EQ(poll_all(a, 0).size(), kArpMaxEntries);
  for (std::uint32_t index = 0; index < kArpMaxEntries; ++index)
    a.on_frame(make(2, kIpB + index, kMacB, kIpA), 1);
  EXPECT_EQ(a.resolve(kIpB + 1000), nullptr);
  EXPECT_EQ(a.counters().table_full, 1U);
  EXPECT_FALSE(a.add_static(kIpB + 1000, kMacB));
  // One of them is still used; the others are only heard of from then on.
  poll_all(a, 2);
  a.resolve(kIpB);
  poll_all(a, kArpUnusedNs - 1);
  poll_all(a, kArpUnusedNs + 1);
  EXPECT_EQ(a.resolve(kIpB + 1000), nullptr);
  EXPECT_EQ(a.counters().table_full, 2U);
  EXPECT_GT(a.counters().given_up, 0U);
  EXPECT_NE(a.resolve(kIpB), nullptr);
}

TEST(Arp, PendingRepliesAreBounded) {
  ArpTable a(kMacA, kIpA);
  for (std::uint32_t index = 0; index < kArpMaxPendingReplies + 3; ++index) {
    a.on_frame(make(1, kIpB + index, kMacB, kIpA), 0);
  }
  EXPECT_EQ(a.counters().reply_drops, 3U);
  EXPECT_EQ(poll_all(a, 0).size(), kArpMaxPendingReplies);
}

}  // namespace
}  // namespace binlane
