#include "shim/server/ack_sender.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace binlane {
namespace {

constexpr std::uint32_t kIncarnation = 5;

struct Ack {
  std::string name;
  std::uint64_t offset = 0;
  bool operator==(const Ack&) const = default;
};

// A stream socket pair: the server's end is read by the test.
class AckSenderTest : public testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    ours_ = ends[0];
    server_ = ends[1];
  }
  void TearDown() override {
    close(ours_);
    if (server_ >= 0) close(server_);
  }

  // Everything the server's end has received, as packets.
  std::vector<Ack> received() {
    std::byte buffer[65536];
    for (;;) {
      const ssize_t size = recv(server_, buffer, sizeof buffer, MSG_DONTWAIT);
      if (size <= 0) break;
      bytes_.insert(bytes_.end(), buffer, buffer + size);
    }
    std::vector<Ack> acks;
    std::size_t at = 0;
    while (bytes_.size() - at >= kPacketHeaderSize) {
      const std::size_t size = load_le<std::uint32_t>(bytes_.data() + at);
      if (bytes_.size() - at < kPacketHeaderSize + size) break;
      const std::byte* payload = bytes_.data() + at + kPacketHeaderSize;
      EXPECT_EQ(payload[0], kSemiSyncMagic);
      acks.push_back({{reinterpret_cast<const char*>(payload) + 9, size - 9},
                      load_le<std::uint64_t>(payload + 1)});
      at += kPacketHeaderSize + size;
    }
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(at));
    return acks;
  }

  AckSocket socket_;
  AckSender sender_{socket_, "binlog"};
  std::vector<std::byte> bytes_;
  int ours_ = -1;
  int server_ = -1;
};

TEST_F(AckSenderTest, NothingWithoutConnectionOrQuorum) {
  EXPECT_FALSE(sender_.poll({3, 400}, kIncarnation));
  socket_.offer(ours_, kIncarnation);
  EXPECT_FALSE(sender_.poll({}, kIncarnation));
  EXPECT_TRUE(received().empty());
}

TEST_F(AckSenderTest, EachNewPositionOnce) {
  socket_.offer(ours_, kIncarnation);
  EXPECT_TRUE(sender_.poll({3, 400}, kIncarnation));
  EXPECT_FALSE(sender_.poll({3, 400}, kIncarnation));
  EXPECT_FALSE(sender_.poll({3, 300}, kIncarnation));
  EXPECT_TRUE(sender_.poll({4, 256}, kIncarnation));
  EXPECT_EQ(received(), (std::vector<Ack>{{"binlog.000003", 400}, {"binlog.000004", 256}}));
  EXPECT_EQ(sender_.counters().sent, 2U);
}

TEST_F(AckSenderTest, ANewConnectionHearsTheNewestAgain) {
  socket_.offer(ours_, kIncarnation);
  sender_.poll({3, 400}, kIncarnation);
  received();
  socket_.revoke();
  EXPECT_FALSE(sender_.poll({3, 400}, kIncarnation));
  EXPECT_TRUE(socket_.is_released());
  EXPECT_EQ(socket_.offer(ours_, kIncarnation), 2U);
  EXPECT_TRUE(sender_.poll({3, 400}, kIncarnation));
  EXPECT_EQ(received(), (std::vector<Ack>{{"binlog.000003", 400}}));
}

TEST_F(AckSenderTest, ResendAfterTheServerForgot) {
  socket_.offer(ours_, kIncarnation);
  sender_.poll({3, 400}, kIncarnation);
  sender_.resume();
  EXPECT_TRUE(sender_.poll({3, 400}, kIncarnation));
  EXPECT_EQ(received().size(), 2U);
}

TEST_F(AckSenderTest, WantedPositionIsSentExactlyOnceTheQuorumHolds) {
  socket_.offer(ours_, kIncarnation);
  sender_.poll({3, 400}, kIncarnation);
  sender_.on_wanted({{3, 380}, 1});  // covered already: said again, exactly
  EXPECT_TRUE(sender_.poll({3, 400}, kIncarnation));
  EXPECT_EQ(sender_.counters().resent, 1U);
  sender_.on_wanted({{3, 500}, 1});
  EXPECT_TRUE(sender_.poll({3, 499}, kIncarnation));
  EXPECT_EQ(sender_.last(), (Position{3, 499}));
  EXPECT_TRUE(sender_.poll({3, 700}, kIncarnation));  // the exact one first, then the newest
  EXPECT_TRUE(sender_.poll({3, 700}, kIncarnation));
  EXPECT_FALSE(sender_.poll({3, 700}, kIncarnation));
  EXPECT_EQ(received(), (std::vector<Ack>{{"binlog.000003", 400},
                                          {"binlog.000003", 380},
                                          {"binlog.000003", 499},
                                          {"binlog.000003", 500},
                                          {"binlog.000003", 700}}));
}

TEST_F(AckSenderTest, WantedNeverRunsAheadOfTheQuorum) {
  socket_.offer(ours_, kIncarnation);
  sender_.on_wanted({{3, 500}, 1});
  EXPECT_FALSE(sender_.poll({}, kIncarnation));
  sender_.poll({3, 100}, kIncarnation);
  EXPECT_EQ(received(), (std::vector<Ack>{{"binlog.000003", 100}}));
}

TEST_F(AckSenderTest, WantedOfAnotherConnectionIsDropped) {
  socket_.offer(ours_, kIncarnation);
  sender_.poll({3, 400}, kIncarnation);
  socket_.revoke();
  sender_.poll({3, 400}, kIncarnation);
  ASSERT_TRUE(socket_.is_released());
  socket_.offer(ours_, kIncarnation);
  sender_.on_wanted({{3, 380}, 1});
  sender_.poll({3, 400}, kIncarnation);
  EXPECT_FALSE(sender_.poll({3, 400}, kIncarnation));
  EXPECT_EQ(received(), (std::vector<Ack>{{"binlog.000003", 400}, {"binlog.000003", 400}}));
  // One that comes before the lane has seen its connection is kept.
  socket_.revoke();
  sender_.poll({3, 400}, kIncarnation);
  ASSERT_TRUE(socket_.is_released());
  socket_.offer(ours_, kIncarnation);
  sender_.on_wanted({{3, 390}, 3});
  sender_.poll({3, 400}, kIncarnation);
  EXPECT_EQ(received(), (std::vector<Ack>{{"binlog.000003", 390}}));
}

TEST_F(AckSenderTest, AFullSocketLosesNothing) {
  socket_.offer(ours_, kIncarnation);
  Position quorum{3, 0};
  while (sender_.counters().full == 0 && quorum.offset < 1'000'000) {
    ++quorum.offset;
    sender_.poll(quorum, kIncarnation);
  }
  ASSERT_GT(sender_.counters().full, 0U);
  const std::uint64_t stuck = quorum.offset;
  quorum.offset += 1000;
  sender_.poll(quorum, kIncarnation);
  std::vector<Ack> acks = received();
  ASSERT_FALSE(acks.empty());
  sender_.poll(quorum, kIncarnation);
  sender_.poll(quorum, kIncarnation);
  const std::vector<Ack> later = received();
  acks.insert(acks.end(), later.begin(), later.end());
  ASSERT_TRUE(bytes_.empty()) << "half a packet is left";
  for (std::size_t i = 1; i < acks.size(); ++i) EXPECT_GT(acks[i].offset, acks[i - 1].offset);
  EXPECT_EQ(acks[acks.size() - 2].offset, stuck);  // it was queued, so it goes first
  EXPECT_EQ(acks.back().offset, quorum.offset);
}

TEST_F(AckSenderTest, PausedItSaysNothing) {
  socket_.offer(ours_, kIncarnation);
  sender_.poll({3, 400}, kIncarnation);
  sender_.pause();
  EXPECT_FALSE(sender_.poll({3, 500}, kIncarnation));
  sender_.on_wanted({{3, 450}, 1});
  EXPECT_FALSE(sender_.poll({3, 500}, kIncarnation));
  EXPECT_EQ(received().size(), 1U);
  sender_.resume();
  EXPECT_TRUE(sender_.poll({3, 500}, kIncarnation));
  EXPECT_TRUE(sender_.poll({3, 500}, kIncarnation));
  EXPECT_EQ(received(), (std::vector<Ack>{{"binlog.000003", 450}, {"binlog.000003", 500}}));
}

// Positions of another incarnation mean other bytes, whichever of the two is ahead.
TEST_F(AckSenderTest, OnlyItsOwnIncarnationCounts) {
  socket_.offer(ours_, kIncarnation);
  EXPECT_FALSE(sender_.poll({3, 400}, kIncarnation - 1));
  EXPECT_FALSE(sender_.poll({3, 400}, kIncarnation + 1));
  sender_.on_wanted({{3, 300}, 1});
  EXPECT_FALSE(sender_.poll({3, 400}, kIncarnation + 1));
  EXPECT_TRUE(received().empty());
  EXPECT_TRUE(sender_.poll({3, 400}, kIncarnation));
}

TEST_F(AckSenderTest, ABrokenConnectionIsLeftAlone) {
  socket_.offer(ours_, kIncarnation);
  close(server_);
  server_ = -1;
  EXPECT_TRUE(sender_.poll({3, 400}, kIncarnation));
  EXPECT_EQ(sender_.counters().failed, 1U);
  EXPECT_FALSE(sender_.poll({3, 500}, kIncarnation));
  EXPECT_EQ(sender_.counters().failed, 1U);
}

TEST(AckSocket, ReleaseHandshake) {
  AckSocket socket;
  EXPECT_EQ(socket.borrow().descriptor, -1);
  socket.offer(7, kIncarnation);
  EXPECT_EQ(socket.borrow().descriptor, 7);
  EXPECT_EQ(socket.borrow().generation, 1U);
  socket.revoke();
  EXPECT_FALSE(socket.is_released());
  EXPECT_EQ(socket.borrow().descriptor, -1);
  EXPECT_TRUE(socket.is_released());
  socket.offer(8, kIncarnation);
  socket.borrow();
  socket.give_back();
  socket.revoke();
  EXPECT_TRUE(socket.is_released());
}

// The lane never uses a descriptor after the owner has found it released.
TEST(AckSocket, TwoThreads) {
  constexpr int kLoans = 1000;
  AckSocket socket;
  std::vector<std::atomic<bool>> closed(kLoans + 1);
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> borrowed{0};
  std::thread lane([&] {
    while (!done) {
      const AckSocket::Lease lease = socket.borrow();
      if (lease.descriptor < 0) continue;
      borrowed.fetch_add(1);
      ASSERT_FALSE(closed[static_cast<std::size_t>(lease.descriptor)].load());
    }
    socket.give_back();
  });
  for (int descriptor = 1; descriptor <= kLoans; ++descriptor) {
    socket.offer(descriptor, kIncarnation);
    // The lane holds the first lease; some of the others end before the lane has looked, others
    // after.
    while (descriptor == 1 && borrowed.load() == 0) std::this_thread::yield();
    if (descriptor % 3 == 0) std::this_thread::yield();
    socket.revoke();
    while (!socket.is_released()) std::this_thread::yield();
    closed[static_cast<std::size_t>(descriptor)] = true;
  }
  done = true;
  lane.join();
}

}  // namespace
}  // namespace binlane
