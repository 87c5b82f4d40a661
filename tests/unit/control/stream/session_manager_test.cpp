// SessionManager: which answers it takes, and for which of them the lane is quiesced.
#include "control/stream/session_manager.h"

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
  SessionManager sessions{{{"r1", 0, kR1}, {"r2", 0, kR2}}, stream, queues};
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
    sessions.begin_incarnation(identity, {}, {});
    poll();
  }
  void poll() {
    now_ns += kHelloRepeatNs;
    sessions.poll(now_ns);
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

// The proof is refreshed with the lane quiesced: only a replica that was asked may cause that.
// [S19]
TEST(SessionManager, ForeignAnswersNeedNoFreshProof) {
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
    ASSERT_FALSE(d.sessions.needs_fresh_proof(message));
    d.sessions.on_reply(message, d.now_ns);
  }
  EXPECT_EQ(d.sessions.view()[0].refusal, "");
  // The answer that it waits for is recognised, also if it was sniffed and comes from elsewhere.
  EXPECT_FALSE(d.sessions.needs_fresh_proof(d.answer(0, kStranger)));
  EXPECT_FALSE(d.sessions.needs_fresh_proof(d.answer(0, kR2)));
  EXPECT_TRUE(d.sessions.needs_fresh_proof(d.answer(0, kR1)));
}

TEST(SessionManager, OnlyAReplicasOwnAddressSpeaksForIt) {
  Desk d;
  for (const Endpoint& from : {kStranger, kR2}) {
    d.sessions.on_reply(d.refusal(0, from), d.now_ns);
    EXPECT_EQ(d.sessions.view()[0].refusal, "");
    EXPECT_EQ(d.sessions.deposed_by(), 0U);
  }
  HelloMessage other_port = d.refusal(0, kR1);
  other_port.port = 1;
  d.sessions.on_reply(other_port, d.now_ns);
  EXPECT_EQ(d.sessions.deposed_by(), 0U);
  d.sessions.on_reply(d.refusal(0, kR1), d.now_ns);
  EXPECT_EQ(d.sessions.deposed_by(), 77U);
}

TEST(SessionManager, ASessionIsWithTheConfiguredAddress) {
  Desk d;
  d.sessions.on_reply(d.answer(0, kR1), d.now_ns);
  d.poll();
  ASSERT_EQ(d.asked(0).phase, static_cast<std::uint8_t>(wire::Phase::start));
  d.sessions.on_reply(d.answer(0, kStranger), d.now_ns);
  EXPECT_EQ(d.sessions.session_of(0), 0U);
  d.sessions.on_reply(d.answer(0, kR1), d.now_ns);
  EXPECT_NE(d.sessions.session_of(0), 0U);
  SourceCommand command;
  ASSERT_TRUE(d.queues.commands.try_pop(command));
  ASSERT_TRUE(std::holds_alternative<StartSession>(command));
  EXPECT_EQ(std::get<StartSession>(command).peer, kR1);
}

// Both replicas' sessions, by handshakes to the end.
void begin_sessions(Desk& d) {
  for (int round = 0; round < 2; ++round) {
    d.sessions.on_reply(d.answer(0, kR1), d.now_ns);
    d.sessions.on_reply(d.answer(1, kR2), d.now_ns);
    d.poll();
  }
  ASSERT_NE(d.sessions.session_of(0), 0U);
  ASSERT_NE(d.sessions.session_of(1), 0U);
}

void lose(Desk& d, SourceEvent::Kind why, std::uint32_t replica) {
  ASSERT_TRUE(d.queues.events.try_push({why, replica, 0}));
}

TEST(SessionManager, WhoeverIsInASessionIsAskedNothing) {
  Desk d;
  begin_sessions(d);
  EXPECT_TRUE(d.hellos.empty());
  for (const auto& replica : d.sessions.view()) {
    EXPECT_TRUE(replica.in_session);
    EXPECT_EQ(replica.sessions, 1U);
  }
}

// All that the lane tells in one turn counts in that turn.
TEST(SessionManager, ReplicasThatAreLostTogetherAreAskedAgainTogether) {
  Desk d;
  begin_sessions(d);
  lose(d, SourceEvent::Kind::session_lost, 0);
  lose(d, SourceEvent::Kind::session_lost, 1);
  d.sessions.take_replies(d.now_ns);
  EXPECT_EQ(d.sessions.session_of(0), 0U);
  EXPECT_EQ(d.sessions.session_of(1), 0U);
  HelloMessage hello;
  EXPECT_TRUE(d.queues.hello_out.try_pop(hello));
  EXPECT_TRUE(d.queues.hello_out.try_pop(hello));
}

// Another session with it would fail in the same way: it is asked again after a while.
TEST(SessionManager, AReplicaWhoseJournalFailedIsNotAskedAtOnce) {
  for (const auto why : {SourceEvent::Kind::journal_failed, SourceEvent::Kind::session_duplicate,
                         SourceEvent::Kind::session_purged}) {
    Desk d;
    begin_sessions(d);
    lose(d, why, 0);
    d.sessions.take_replies(d.now_ns);
    EXPECT_EQ(d.sessions.session_of(0), 0U);
    EXPECT_NE(d.sessions.session_of(1), 0U) << "the other one goes on";
    EXPECT_EQ(d.sessions.view()[0].refusal.empty(), why == SourceEvent::Kind::session_purged);
    HelloMessage hello;
    EXPECT_FALSE(d.queues.hello_out.try_pop(hello));
    d.now_ns += kRefusedRepeatNs;
    d.sessions.take_replies(d.now_ns);
    EXPECT_TRUE(d.queues.hello_out.try_pop(hello));
    EXPECT_EQ(hello.peer, kR1);
  }
}

TEST(SessionManager, ReplicasThatThisSourceDoesNotHaveAreLostByNobody) {
  Desk d;
  begin_sessions(d);
  lose(d, SourceEvent::Kind::session_lost, 2);
  d.sessions.take_replies(d.now_ns);
  EXPECT_NE(d.sessions.session_of(0), 0U);
  EXPECT_NE(d.sessions.session_of(1), 0U);
}

}  // namespace
}  // namespace binlane
