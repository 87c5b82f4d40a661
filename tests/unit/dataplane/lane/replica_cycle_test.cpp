// ReplicaCycle: what it counts of the frames that are no part of a session. Sessions themselves are
// the packet scripts' and lossy_link_test's.
#include "dataplane/lane/replica_cycle.h"

#include <gtest/gtest.h>

#include "support/fake_network.h"
#include "support/frames.h"
#include "support/model_replica.h"

namespace binlane::replica_cycle_test {

constexpr Endpoint kSource{1, 7100};
constexpr Endpoint kReplica{2, 7100};

class ReplicaCycleTest : public testing::Test {
 protected:
  ReplicaCycleTest() {
    network_.faults.delay_ns = 0;
    replica_.open();
  }
  template <class Body>
  void arrives(wire::Type type, const Body& body) {
    FrameTags tags;
    tags.type = type;
    tags.session_id = 5;
    network_.send(kSource, kReplica, test::make_frame(tags, body));
  }
  ReplicaLaneMarks marks() {
    for (int i = 0; i < 5; ++i) {
      clock_.time_ns += kNanosPerMilli;
      replica_.turn();
    }
    return replica_.marks();
  }

  test::VirtualClock clock_;
  test::FakeNetwork network_{clock_, 1, 64};
  test::ModelReplica replica_{clock_, network_, 1, "r1", kReplica, 64};
};

TEST_F(ReplicaCycleTest, FramesThatNoReplicaTakesAreCounted) {
  arrives(wire::Type::ack, wire::AckBody{});
  arrives(wire::Type::exposed, wire::ExposedBody{});  // of no session
  arrives(wire::Type::hello_ack, wire::HelloAckBody{});
  const ReplicaLaneMarks found = marks();
  EXPECT_EQ(found.unknown_frames, 3U);
  EXPECT_EQ(found.frame_faults, 0U);
  EXPECT_EQ(found.unknown_peers, 0U);
}

TEST_F(ReplicaCycleTest, DamagedFramesAreCountedApart) {
  const std::byte noise[3] = {};
  network_.send(kSource, kReplica, noise);
  network_.send(kSource, kReplica, {});
  const ReplicaLaneMarks found = marks();
  EXPECT_EQ(found.frame_faults, 2U);
  EXPECT_EQ(found.unknown_frames, 0U);
}

TEST_F(ReplicaCycleTest, HellosThatFindNoRoomAreCounted) {
  for (std::size_t i = 0; i < kReplicaHelloQueue + 2; ++i)
    arrives(wire::Type::hello, wire::HelloBody{});
  EXPECT_EQ(marks().hellos_lost, 2U);
}

TEST_F(ReplicaCycleTest, WithoutASessionItSaysSo) {
  const ReplicaLaneMarks found = marks();
  EXPECT_FALSE(found.connected);
  EXPECT_EQ(found.peers_need, 0U);
  EXPECT_EQ(found.writes, 0U);
  EXPECT_EQ(found.block_count, 64U);
}

}  // namespace binlane::replica_cycle_test
