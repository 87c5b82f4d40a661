// AckSocket: no descriptor is closed while the lane may write on it.
#include "shim/server/ack_socket.h"

#include <gtest/gtest.h>

namespace binlane {
namespace {

TEST(AckSocket, TheLaneGetsWhatIsOffered) {
  AckSocket socket;
  EXPECT_EQ(socket.borrow().descriptor, -1) << "nothing was offered yet";
  const std::uint32_t generation = socket.offer(7, 3);
  const AckSocket::Lease lease = socket.borrow();
  EXPECT_EQ(lease.descriptor, 7);
  EXPECT_EQ(lease.generation, generation);
  EXPECT_EQ(lease.incarnation, 3U);
}

// Descriptor 0 is one like any other.
TEST(AckSocket, EveryDescriptorCanBeLent) {
  AckSocket socket;
  socket.offer(0, 1);
  EXPECT_EQ(socket.borrow().descriptor, 0);
}

TEST(AckSocket, IsReleasedOnceTheLaneHasSeenThatItWasRevoked) {
  AckSocket socket;
  socket.offer(7, 1);
  EXPECT_FALSE(socket.is_released()) << "it is on offer";
  EXPECT_EQ(socket.borrow().descriptor, 7);
  socket.revoke();
  EXPECT_FALSE(socket.is_released()) << "the lane has it";
  EXPECT_EQ(socket.borrow().descriptor, -1);
  EXPECT_TRUE(socket.is_released());
}

TEST(AckSocket, IsReleasedAtOnceIfTheLaneNeverTookIt) {
  AckSocket socket;
  socket.offer(7, 1);
  socket.revoke();
  EXPECT_TRUE(socket.is_released());
}

TEST(AckSocket, IsReleasedByALaneThatPauses) {
  AckSocket socket;
  socket.offer(7, 1);
  socket.borrow();
  socket.revoke();
  socket.give_back();
  EXPECT_TRUE(socket.is_released());
}

// A lane that pauses while the offer stands may come back to it, so it is not released.
TEST(AckSocket, AnOfferThatStandsIsNotReleased) {
  AckSocket socket;
  socket.offer(7, 1);
  socket.borrow();
  socket.give_back();
  EXPECT_FALSE(socket.is_released());
  EXPECT_EQ(socket.borrow().descriptor, 7);
}

TEST(AckSocket, EachConnectionHasAGenerationOfItsOwn) {
  AckSocket socket;
  const std::uint32_t first = socket.offer(7, 1);
  socket.revoke();
  ASSERT_TRUE(socket.is_released());
  const std::uint32_t second = socket.offer(7, 2);
  EXPECT_GT(second, first);
  EXPECT_EQ(socket.borrow().generation, second);
  EXPECT_EQ(socket.borrow().incarnation, 2U);
}

TEST(AckSocketDeathTest, NoSecondOneIsOfferedBeforeTheFirstIsReleased) {
  AckSocket socket;
  socket.offer(7, 1);
  socket.borrow();
  socket.revoke();
  EXPECT_DEATH(socket.offer(8, 1), "assertion failed");
}

}  // namespace
}  // namespace binlane
