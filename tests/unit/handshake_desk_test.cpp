// HandshakeDesk: whose answers it takes, and which of them cost the lane a stand.
#include "control/handshake_desk.h"

#include <gtest/gtest.h>

#include <random>

#include "support/frames.h"
#include "support/memory_stream.h"

namespace binlane {
namespace {

constexpr std::uint64_t kCluster = 0xc1;
constexpr Epoch kEpoch{1, 3};
constexpr Endpoint kR1{10, 7100};
constexpr Endpoint kR2{11, 7100};
constexpr Endpoint kStranger{99, 7100};

Uuid uuid(std::uint8_t number) {
  Uuid id;
  id.bytes.fill(number);
  return id;
}

struct Desk {
  test::MemoryStream stream{1, 1U << 16};
  SourceLaneQueues queues;
  HandshakeDesk desk{{{"r1", 0, kR1}, {"r2", 0, kR2}}, stream, queues};
  std::uint64_t now_ns = kNanosPerSecond;
  std::vector<HelloMessage> hellos;  // of the last poll, in the order of the replicas

  Desk() {
    stream.append(Bytes(1000, std::byte{1}));
    SourceHandshake::Identity identity;
    identity.cluster_id = kCluster;
    identity.origin = identity.candidate = uuid(9);
    identity.epoch = kEpoch;
    identity.source_name = "s";
    identity.basename = "binlog";
    identity.stream_term = 1;
    desk.begin_incarnation(identity, {}, {});
    poll();
  }
  void poll() {
    now_ns += kHelloRepeatNs;
    desk.poll(now_ns);
    hellos.clear();
    HelloMessage message;
    while (queues.hello_out.try_pop(message)) hellos.push_back(message);
  }
  wire::HelloBody asked(std::size_t replica) const {
    return body_as<wire::HelloBody>(test::view_of(hellos.at(replica).frame()));
  }
  // What a blank replica answers to the HELLO that it was sent last.
  HelloMessage answer(std::size_t replica, const Endpoint& from) const {
    const FrameView hello = test::view_of(hellos.at(replica).frame());
    const auto body = body_as<wire::HelloBody>(hello);
    wire::HelloAckBody ack;
    ack.phase = body.phase;
    ack.handshake_id = body.handshake_id;
    ack.answer_id = 5;
    ack.cluster_id = kCluster;
    set_field(ack.replica_name, replica == 0 ? "r1" : "r2");
    const bool starts = body.phase == static_cast<std::uint8_t>(wire::Phase::start);
    if (starts) ack.status = static_cast<std::uint8_t>(wire::HelloStatus::started);
    FrameTags tags{wire::Type::hello_ack, 0, hello.header.session_id, kEpoch, 0};
    HelloMessage message;
    message.peer = from;
    build_hello(message, tags, ack);
    return message;
  }
  HelloMessage refusal(std::size_t replica, const Endpoint& from) const {
    HelloMessage message = answer(replica, from);
    const FrameView frame = test::view_of(message.frame());
    auto ack = body_as<wire::HelloAckBody>(frame);
    ack.status = static_cast<std::uint8_t>(wire::HelloStatus::refused);
    ack.promised = to_wire(Epoch{77, 0});
    set_field(ack.reason, "no");
    build_hello(message, {wire::Type::hello_ack, 0, 0, kEpoch, 0}, ack);
    return message;
  }

  using Bytes = test::Bytes;
};

// The proof is refreshed with the lane standing still: nobody but a replica that was asked may
// cause that (S19).
TEST(HandshakeDesk, ForeignAnswersNeedNoFreshProof) {
  Desk d;
  std::mt19937_64 random(1);
  for (int i = 0; i < 10'000; ++i) {
    wire::HelloAckBody ack;
    ack.handshake_id = random();
    ack.cluster_id = i % 2 == 0 ? kCluster : random();
    set_field(ack.replica_name, "r1");
    HelloMessage message;
    message.peer = i % 4 == 0 ? kStranger : kR1;
    build_hello(message, {wire::Type::hello_ack, 0, 0, kEpoch, 0}, ack);
    ASSERT_FALSE(d.desk.needs_fresh_proof(message));
    d.desk.on_reply(message, d.now_ns);
  }
  EXPECT_EQ(d.desk.view()[0].refusal, "");
  // What it waits for is told apart, also when it was sniffed and comes from elsewhere.
  EXPECT_FALSE(d.desk.needs_fresh_proof(d.answer(0, kStranger)));
  EXPECT_FALSE(d.desk.needs_fresh_proof(d.answer(0, kR2)));
  EXPECT_TRUE(d.desk.needs_fresh_proof(d.answer(0, kR1)));
}

TEST(HandshakeDesk, OnlyAReplicasOwnAddressSpeaksForIt) {
  Desk d;
  for (const Endpoint& from : {kStranger, kR2}) {
    d.desk.on_reply(d.refusal(0, from), d.now_ns);
    EXPECT_EQ(d.desk.view()[0].refusal, "");
    EXPECT_EQ(d.desk.deposed_by(), 0U);
  }
  HelloMessage other_port = d.refusal(0, kR1);
  other_port.port = 1;
  d.desk.on_reply(other_port, d.now_ns);
  EXPECT_EQ(d.desk.deposed_by(), 0U);
  d.desk.on_reply(d.refusal(0, kR1), d.now_ns);
  EXPECT_EQ(d.desk.deposed_by(), 77U);
}

TEST(HandshakeDesk, ASessionIsWithTheConfiguredAddress) {
  Desk d;
  d.desk.on_reply(d.answer(0, kR1), d.now_ns);
  d.poll();
  ASSERT_EQ(d.asked(0).phase, static_cast<std::uint8_t>(wire::Phase::start));
  d.desk.on_reply(d.answer(0, kStranger), d.now_ns);
  EXPECT_EQ(d.desk.session_of(0), 0U);
  d.desk.on_reply(d.answer(0, kR1), d.now_ns);
  EXPECT_NE(d.desk.session_of(0), 0U);
  SourceCommand command;
  ASSERT_TRUE(d.queues.commands.try_pop(command));
  EXPECT_EQ(command.kind, SourceCommand::Kind::start_session);
  EXPECT_EQ(command.peer, kR1);
}

}  // namespace
}  // namespace binlane
