// HelloCycle: HELLOs go out as they are, their answers come back, and nothing else does.
#include "dataplane/lane/hello_cycle.h"

#include <gtest/gtest.h>

#include "dataplane/lane/source_lane_proxy.h"
#include "support/fake_network.h"
#include "support/frames.h"

namespace binlane {
namespace {

constexpr Endpoint kSource{1, 7100};
constexpr Endpoint kReplica{2, 7100};
constexpr Epoch kEpoch{2, 0};

class HelloCycleTest : public testing::Test {
 protected:
  HelloMessage hello() {
    wire::HelloBody body;
    body.handshake_id = 7;
    FrameTags tags;
    tags.type = wire::Type::hello;
    tags.epoch = kEpoch;
    HelloMessage message;
    message.peer = kReplica;
    build_hello(message, tags, body);
    return message;
  }
  void arrives(wire::Type type) {
    FrameTags tags;
    tags.type = type;
    tags.epoch = kEpoch;
    if (type == wire::Type::hello_ack)
      network_.send(kReplica, kSource, test::make_frame(tags, wire::HelloAckBody{}));
    else
      network_.send(kReplica, kSource, test::make_frame(tags, wire::AckBody{}));
  }

  test::VirtualClock clock_;
  test::FakeNetwork network_{clock_, 1, 64};
  test::FakePort port_{network_, kSource};
  test::FakePort* ports_[1] = {&port_};
  SourceLaneQueues queues_;
  HelloCycle<test::FakePort> cycle_{ports_, queues_};
};

TEST_F(HelloCycleTest, AnIdleTurnDoesNothing) {
  EXPECT_EQ(cycle_.do_work(), 0U);
}

TEST_F(HelloCycleTest, SendsHellosAsTheyAre) {
  network_.faults.delay_ns = 0;
  const HelloMessage message = hello();
  ASSERT_TRUE(SourceLaneProxy(queues_).send_hello(message));
  ASSERT_TRUE(SourceLaneProxy(queues_).send_hello(message));
  EXPECT_EQ(cycle_.do_work(), 2U);
  for (int i = 0; i < 2; ++i) {
    auto* const packet = network_.take(kReplica);
    ASSERT_NE(packet, nullptr);
    const ConstBytes sent = ConstBytes(packet->bytes).first(packet->length);
    EXPECT_TRUE(
        std::equal(sent.begin(), sent.end(), message.frame().begin(), message.frame().end()));
    network_.free(packet);
  }
  EXPECT_EQ(network_.take(kReplica), nullptr);
}

TEST_F(HelloCycleTest, PassesOnAnswersAndNothingElse) {
  network_.faults.delay_ns = 0;
  arrives(wire::Type::ack);
  arrives(wire::Type::hello_ack);
  EXPECT_EQ(cycle_.do_work(), 2U);
  HelloMessage answer;
  ASSERT_TRUE(queues_.hello_in.try_pop(answer));
  FrameView frame;
  ASSERT_EQ(decode(answer.frame(), frame), FrameFault::none);
  EXPECT_EQ(frame.type(), wire::Type::hello_ack);
  EXPECT_EQ(answer.peer, kReplica);
  EXPECT_FALSE(queues_.hello_in.try_pop(answer));
}

}  // namespace
}  // namespace binlane
