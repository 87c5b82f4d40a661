// SourceCycle: marks, released and sessions, turn by turn over a fake port.
#include "dataplane/lane/source_cycle.h"
#include "dataplane/lane/source_lane_proxy.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <utility>

#include "support/fake_network.h"
#include "support/frames.h"
#include "support/memory_stream.h"

namespace binlane::source_cycle_test {

using test::Bytes;

constexpr Epoch kEpoch{1, 1};
constexpr Endpoint kSource{1, 7100};

Endpoint replica_at(std::uint32_t index) {
  return {index + 10, 7100};
}

Uuid journal(std::uint8_t number) {
  Uuid uuid;
  uuid.bytes[0] = number;
  return uuid;
}

QuorumRule any(std::uint32_t count, ReplicaSet members, AckLevel level) {
  QuorumRule rule;
  rule.number = 1;
  rule.level = level;
  rule.clause_count = 1;
  rule.clauses[0] = {members, count};
  return rule;
}

// Something happens while the lane is in the device.
struct BusyPort : test::FakePort {
  using test::FakePort::FakePort;

  std::function<void()> behind_flush;

  void flush() {
    test::FakePort::flush();
    if (behind_flush) std::exchange(behind_flush, nullptr)();
  }
};

struct Source {
  using Cycle = SourceCycle<BusyPort, test::StreamOfLane, test::FakeServer, test::VirtualClock>;

  test::VirtualClock clock;
  test::FakeNetwork network{clock, 1, 512};
  BusyPort port{network, kSource};
  BusyPort* ports[1] = {&port};
  test::MemoryStream stream;
  test::StreamOfLane lane_stream{stream};
  test::FakeServer server;
  SourceLaneQueues queues;
  Cycle cycle{ports, lane_stream, server, clock, queues, replicas()};

  static PeerList replicas() {
    PeerList peers;
    for (std::uint32_t i = 0; i < 4; ++i)
      EXPECT_TRUE(peers.add({0, replica_at(i).ipv4, replica_at(i).udp_port}));
    return peers;
  }

  explicit Source(AckLevel level = AckLevel::durable, std::uint32_t count = 1) {
    network.faults.delay_ns = 0;
    cycle.rebuild(kEpoch, any(count, 0b1111, level));
    queues.pause.resume();
  }
  void turn() {
    clock.time_ns += 1000;
    cycle.do_work();
  }
  SourceMarks marks() {
    for (int i = 0; i < 5; ++i) turn();  // an idle turn publishes
    return queues.marks.load();
  }
  SourceLaneProxy lane() { return SourceLaneProxy(queues); }
  void join(std::uint32_t index, std::uint64_t durable = 0, std::uint8_t journal_number = 0) {
    StartSession start;
    start.replica = index;
    start.peer = replica_at(index);
    start.epoch = kEpoch;
    start.session_id = 100 + index;
    start.durable = SessionOffset{durable};
    start.window_end = SessionOffset{1U << 30};
    start.journal_id =
        journal(journal_number == 0 ? static_cast<std::uint8_t>(index + 1) : journal_number);
    ASSERT_TRUE(lane().start_session(start));
    turn();
  }
  void synced(Position at) { ASSERT_TRUE(lane().set_synced(at)); }
  void write(const std::string& text) { stream.append(test::bytes_of(text)); }
  // Packets that replica `index` has got so far are taken off the network.
  std::uint64_t drain(std::uint32_t index) {
    std::uint64_t largest = 0;
    while (auto* packet = network.take(replica_at(index))) {
      FrameView view;
      const auto bytes = ConstBytes(packet->bytes).first(packet->length);
      if (decode(bytes, view) == FrameFault::none && view.type() == wire::Type::data)
        largest = view.header.packet_number;
      network.free(packet);
    }
    return largest;
  }
  void ack(std::uint32_t index, std::uint64_t received, std::uint64_t durable,
           std::uint64_t applied = 0, std::uint16_t state = 0) {
    answer(index, received, durable, applied, state);
    turn();
  }
  // As ack(), but the lane's turn is another's.
  void answer(std::uint32_t index, std::uint64_t received, std::uint64_t durable,
              std::uint64_t applied = 0, std::uint16_t state = 0) {
    wire::AckBody body;
    body.received = received;
    body.durable = durable;
    body.applied = applied;
    body.largest_packet = drain(index);
    body.state = state;
    const FrameTags tags{wire::Type::ack, 0, 100 + index, kEpoch, 1};
    network.send(replica_at(index), kSource, test::make_frame(tags, body));
  }
  std::vector<SourceEvent> events() {
    std::vector<SourceEvent> all;
    SourceEvent event;
    while (queues.events.try_pop(event)) all.push_back(event);
    return all;
  }
};

TEST(SourceCycle, AQuorumOfDurableBytesIsToldToTheServer) {
  Source s(AckLevel::durable, 2);
  s.join(0);
  s.join(1);
  s.write("0123456789");
  s.turn();
  s.ack(0, 10, 10);
  EXPECT_TRUE(s.server.told.is_null());
  s.ack(1, 10, 7);
  EXPECT_EQ(s.server.told, (Position{1, 7}));
}

// S24: a server that continued after half a write believes that its file is shorter than it is, and
// would take a position within that half for an ACK of what it has written since. Mutant:
// acked_within_group.
TEST(SourceCycle, NothingIsToldWithinAGroupThatIsNotWhole) {
  Source s;
  s.join(0);
  s.write("0123456789");
  s.stream.append_part(test::bytes_of("abcdef"));
  s.turn();
  s.ack(0, 16, 16);
  EXPECT_EQ(s.marks().quorum, 16U);
  EXPECT_EQ(s.server.told, (Position{1, 10}));
  s.write("g");
  s.turn();
  s.ack(0, 17, 17);
  EXPECT_EQ(s.server.told, (Position{1, 17}));
}

// An answer that comes in the turn that sent does not seem older than the sending.
TEST(SourceCycle, StagesOfOneTurnAreInOrder) {
  constexpr std::uint64_t kInTheDeviceNs = 5000;
  Source s;
  s.join(0);
  s.write("0123456789");
  s.port.behind_flush = [&s] {
    s.clock.time_ns += kInTheDeviceNs;
    s.answer(0, 10, 10);
  };
  s.turn();
  const CommitTracer& stages = s.queues.stages;
  ASSERT_EQ(stages.sent(0).counts().count(), 1U);
  ASSERT_EQ(stages.received(0).counts().count(), 1U);
  EXPECT_EQ(stages.sent(0).counts().sum(), kInTheDeviceNs);
  EXPECT_EQ(stages.received(0).counts().sum(), kInTheDeviceNs);
  EXPECT_EQ(stages.quorum().counts().sum(), kInTheDeviceNs);
}

// If the binlog may be another stream's by now, positions acknowledge bytes that no replica has.
// [S16]
TEST(SourceCycle, NothingIsToldOfAStreamThatMayBeAnother) {
  Source s;
  s.join(0);
  s.write("0123456789");
  s.turn();
  s.lane_stream.known = false;
  s.ack(0, 10, 10);
  EXPECT_TRUE(s.server.told.is_null());
  EXPECT_EQ(s.marks().quorum, 10U);
  s.lane_stream.known = true;
  s.turn();
  EXPECT_EQ(s.server.told, (Position{1, 10}));
}

// The map's first byte is no quorum's: what earlier incarnations proved may be before it.
TEST(SourceCycle, AnIncarnationWithoutAQuorumShowsNone) {
  Source s;
  s.write("three");
  s.join(0);
  EXPECT_TRUE(s.marks().quorum_at.is_null());
  s.ack(0, 5, 5);
  EXPECT_EQ(s.marks().quorum_at, (Position{1, 5}));
}

// What an archive must keep for others: the file of the replica that has least.
TEST(SourceCycle, ReplicasAreToldWhichFilesTheOthersNeed) {
  Source s;
  s.join(0);
  s.join(1);
  s.write("0123456789");
  s.stream.end_file();
  s.write("abc");
  EXPECT_EQ(s.marks().peers_need, 1U);
  s.ack(0, 14, 14);
  EXPECT_EQ(s.marks().peers_need, 1U);
  s.ack(1, 12, 11);  // all of file 1, and that it ended
  EXPECT_EQ(s.marks().peers_need, 2U);
  s.drain(0);
  s.write("d");
  s.turn();
  auto* packet = s.network.take(replica_at(0));
  ASSERT_NE(packet, nullptr);
  FrameView frame;
  ASSERT_EQ(decode(ConstBytes(packet->bytes).first(packet->length), frame), FrameFault::none);
  EXPECT_EQ(body_as<wire::DataBody>(frame).peers_need, 2U);
  s.network.free(packet);
  // The position of a replica in a purged file is unknown.
  s.server.told = {};
  s.queues.pause.request();
  s.cycle.rebuild(kEpoch, any(1, 0b1111, AckLevel::durable));
  s.queues.pause.resume();
  EXPECT_EQ(s.marks().peers_need, 0U);
}

TEST(SourceCycle, ReleasedIsWhatIsSyncedAndHeldByAQuorum) {
  Source s;
  s.join(0);
  s.write("0123456789");
  s.turn();
  s.ack(0, 10, 8);
  EXPECT_EQ(s.marks().released, 0U);
  s.synced({1, 5});
  EXPECT_EQ(s.marks().released, 5U);
  s.synced({1, 10});
  EXPECT_EQ(s.marks().released, 8U);
}

TEST(SourceCycle, WhileDegradedReleasedIsWhatIsSyncedAndItNeverGoesBack) {
  Source s;
  s.write("0123456789");
  s.synced({1, 9});
  EXPECT_EQ(s.marks().released, 0U);
  ASSERT_TRUE(s.lane().set_degraded(0, false));
  EXPECT_EQ(s.marks().released, 9U);
  ASSERT_TRUE(s.lane().end_degraded());
  EXPECT_EQ(s.marks().released, 9U);
  EXPECT_EQ(s.server.resumes, 1U);
}

// The last released mark that replica `index` was told.
struct Told {
  Source& s;
  std::uint64_t released = 0;
  std::uint64_t largest = 0;
  std::uint64_t look(std::uint32_t index = 0) {
    for (int i = 0; i < 3; ++i) s.turn();
    while (auto* packet = s.network.take(replica_at(index))) {
      FrameView view;
      const auto bytes = ConstBytes(packet->bytes).first(packet->length);
      if (decode(bytes, view) == FrameFault::none && view.type() == wire::Type::data)
        released = body_as<wire::DataBody>(view).released;
      s.network.free(packet);
    }
    return released;
  }
};

void degrade(Source& s, std::uint64_t exposure, bool hold = false) {
  ASSERT_TRUE(s.lane().set_degraded(exposure, hold));
}

void knows(Source& s, std::uint64_t exposure, std::uint64_t session = 100) {
  ASSERT_TRUE(s.lane().set_exposure_known(0, session, exposure));
}

// Only what a replica has on record as exposed reaches its server without a quorum. [S10]
TEST(SourceCycle, AReplicaIsToldOfAReleaseWithoutAQuorumOnceItKnowsTheExposure) {
  Source s(AckLevel::durable, 2);
  Told told{s};
  s.join(0);
  s.write("0123456789");
  s.synced({1, 9});
  degrade(s, 7);
  EXPECT_EQ(told.look(), 0U);
  EXPECT_EQ(s.marks().released, 9U);
  knows(s, 6);  // an older list
  EXPECT_EQ(told.look(), 0U);
  knows(s, 7, 99);  // of another session
  EXPECT_EQ(told.look(), 0U);
  knows(s, 7);
  EXPECT_EQ(told.look(), 9U);
}

// A replica that comes later is not told of it either, in semi-sync or not, until a quorum has it.
TEST(SourceCycle, ASessionBeginsWithWhatAQuorumHas) {
  Source s(AckLevel::durable, 2);
  Told told{s};
  s.join(0);
  s.write("0123456789");
  s.synced({1, 9});
  degrade(s, 7);
  knows(s, 7);
  EXPECT_EQ(told.look(), 9U);
  ASSERT_TRUE(s.lane().end_degraded());
  s.join(1);
  EXPECT_EQ(told.look(), 9U);  // never decreases
  Told other{s};
  EXPECT_EQ(other.look(1), 0U);
  s.ack(0, 10, 8);
  s.ack(1, 10, 8);
  EXPECT_EQ(other.look(1), 8U);
}

// `degraded_release = hold`: as long as the journal has room.
TEST(SourceCycle, AHeldReleaseIsToldWhenTheJournalIsFullOrAQuorumHasIt) {
  Source s(AckLevel::durable, 2);
  Told told{s};
  s.join(0);
  s.write("0123456789");
  s.synced({1, 9});
  degrade(s, 7, true);
  knows(s, 7);
  EXPECT_EQ(told.look(), 0U);
  s.join(1);
  s.ack(0, 10, 5);
  s.ack(1, 10, 5);
  EXPECT_EQ(told.look(), 5U);
  // A journal with room for less than a frame.
  StartSession start;
  start.peer = replica_at(0);
  start.epoch = kEpoch;
  start.session_id = 100;
  start.durable = SessionOffset{5};
  start.window_end = SessionOffset{20};
  start.journal_id = journal(1);
  ASSERT_TRUE(s.lane().start_session(start));
  knows(s, 7);
  EXPECT_EQ(told.look(), 9U);
}

// The drain thread may know of a sync before the lane has read the file; it says so once.
TEST(SourceCycle, SyncedAheadOfTheTailerCountsOnceTheTailerIsThere) {
  Source s;
  s.join(0);
  s.lane_stream.frozen = true;
  s.write("0123456789");
  s.stream.end_file();
  s.write("abc");
  s.synced({2, 3});
  EXPECT_EQ(s.marks().synced, 0U);
  s.lane_stream.frozen = false;
  EXPECT_EQ(s.marks().synced, 14U);
  s.ack(0, 14, 14);
  EXPECT_EQ(s.marks().released, 14U);
}

TEST(SourceCycle, SyncedInTheSameTurnAsTheBytesIsNotLost) {
  Source s;
  s.join(0);
  s.write("0123456789");
  s.synced({1, 10});
  EXPECT_EQ(s.marks().synced, 10U);
}

// At level `received` the durable quorum comes after the quorum; at `applied` before it, and the
// replica can apply only what was released.
TEST(SourceCycle, ReleasedFollowsTheDurableQuorumAtEveryLevel) {
  for (const AckLevel level : {AckLevel::received, AckLevel::durable, AckLevel::applied}) {
    Source s(level);
    s.join(0);
    s.write("0123456789");
    s.synced({1, 10});
    s.turn();
    s.ack(0, 10, 0);
    EXPECT_EQ(s.marks().released, 0U) << static_cast<int>(level);
    s.ack(0, 10, 10);
    EXPECT_EQ(s.marks().released, 10U) << static_cast<int>(level);
    s.ack(0, 10, 10, 10);
    EXPECT_EQ(s.server.told, (Position{1, 10})) << static_cast<int>(level);
  }
}

TEST(SourceCycle, OneJournalUnderTwoNamesIsReportedAndCountsOnce) {
  Source s(AckLevel::durable, 2);
  s.join(0);
  s.join(1, 0, 1);  // the journal of replica 0
  const auto events = s.events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].kind, SourceEvent::Kind::session_duplicate);
  EXPECT_EQ(events[0].replica, 1U);
  EXPECT_FALSE(s.marks().replicas[1].connected);
}

TEST(SourceCycle, ASessionReplacedByOneThatIsRefusedIsOver) {
  Source s;
  s.join(0);
  s.join(1);
  s.write("0123456789");
  s.turn();
  s.join(1, 0, 1);   // replica 1 comes back with the journal of replica 0
  s.ack(1, 10, 10);  // an ACK of its old session is still in transit
  EXPECT_TRUE(s.server.told.is_null());
  EXPECT_FALSE(s.marks().replicas[1].connected);
}

TEST(SourceCycle, ASessionAgreedOnInAnotherIncarnationIsNotBegun) {
  Source s;
  StartSession start;
  start.epoch = {1, 0};
  start.session_id = 5;
  ASSERT_TRUE(s.lane().start_session(start));
  s.turn();
  EXPECT_FALSE(s.marks().replicas[0].connected);
}

TEST(SourceCycle, APurgedFileEndsTheSessionAndTheOthersGoOn) {
  Source s;
  s.join(0);
  s.write("0123456789");
  s.stream.end_file();
  s.write("abc");
  s.stream.purge(2);
  for (int i = 0; i < 3; ++i) s.turn();
  const auto events = s.events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].kind, SourceEvent::Kind::session_purged);
  EXPECT_EQ(events[0].error, ENOENT);
  s.join(1, 11);  // asks for a buffer of the same port, which holds none back
  s.turn();
  EXPECT_GT(s.drain(1), 0U);
}

TEST(SourceCycle, AFailedJournalCountsNoMore) {
  Source s;
  s.join(0);
  s.write("0123456789");
  s.turn();
  s.ack(0, 10, 4, 0, wire::kStateJournalFailed);
  const auto events = s.events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].kind, SourceEvent::Kind::journal_failed);
  EXPECT_FALSE(s.marks().satisfiable);
}

TEST(SourceCycle, SilenceIsReportedOnce) {
  Source s;
  s.join(0);
  for (int i = 0; i < 2000; ++i) {
    s.clock.time_ns += kNanosPerMilli;
    s.cycle.do_work();
    s.drain(0);
  }
  const auto events = s.events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].kind, SourceEvent::Kind::session_lost);
}

// S19: a stranger's datagram is not even read.
TEST(SourceCycle, AStrangersFramesAreDroppedUnread) {
  constexpr Endpoint kStranger{99, 7100};
  Source s;
  s.join(0);
  s.write("0123456789");
  s.turn();
  wire::AckBody ack;
  ack.received = ack.durable = 10;
  ack.largest_packet = s.drain(0);
  const FrameTags tags{wire::Type::ack, 0, 100, kEpoch,
                       1};  // everything is right except the sender
  s.network.send(kStranger, kSource, test::make_frame(tags, ack));
  const FrameTags hello{wire::Type::hello_ack, 0, 0, kEpoch, 0};
  s.network.send(kStranger, kSource, test::make_frame(hello, wire::HelloAckBody{}));
  s.network.send(kStranger, kSource, Bytes(200, std::byte{0x42}));
  s.network.send({replica_at(0).ipv4, 7101}, kSource, test::make_frame(tags, ack));
  const SourceMarks marks = s.marks();
  EXPECT_EQ(marks.unknown_peers, 4U);
  EXPECT_EQ(marks.unknown_peer, (Endpoint{replica_at(0).ipv4, 7101}));
  EXPECT_EQ(marks.frame_faults, 0U);
  EXPECT_EQ(marks.quorum, 0U);
  EXPECT_TRUE(s.server.told.is_null());
  HelloMessage message;
  EXPECT_FALSE(s.queues.hello_in.try_pop(message));
}

// W4 from a peer's host: one replica says nothing of what is on another's disk.
TEST(SourceCycle, AnAckCountsFromTheSessionsOwnAddressOnly) {
  Source s;
  s.join(0);
  s.join(1);
  s.write("0123456789");
  s.turn();
  wire::AckBody ack;
  ack.received = ack.durable = 10;
  ack.largest_packet = s.drain(0);
  const FrameTags tags{wire::Type::ack, 0, 100, kEpoch, 1};  // replica 0's session
  s.network.send(replica_at(1), kSource, test::make_frame(tags, ack));
  EXPECT_EQ(s.marks().quorum, 0U);
  EXPECT_EQ(s.marks().unknown_frames, 1U);
  s.network.send(replica_at(0), kSource, test::make_frame(tags, ack));
  EXPECT_EQ(s.marks().quorum, 10U);
}

TEST(SourceCycle, GarbageAndStrangersAreCounted) {
  Source s;
  s.join(0);
  s.network.send(replica_at(0), kSource, Bytes(200, std::byte{0x42}));
  s.network.send(replica_at(0), kSource, Bytes{});
  const FrameTags stranger{wire::Type::ack, 0, 4711, kEpoch, 1};
  s.network.send(replica_at(3), kSource, test::make_frame(stranger, wire::AckBody{}));
  s.network.send(replica_at(3), kSource, test::DataFrame{}.with("data for a source"));
  const SourceMarks marks = s.marks();
  EXPECT_EQ(marks.frame_faults, 2U);
  EXPECT_EQ(marks.unknown_frames, 2U);
}

TEST(SourceCycle, StandsStillOnRequestAndForgetsOnRebuild) {
  Source s;
  s.join(0);
  s.write("0123456789");
  s.synced({1, 10});
  s.turn();
  s.ack(0, 10, 10);
  ASSERT_EQ(s.marks().quorum, 10U);
  s.queues.pause.request();
  EXPECT_EQ(s.cycle.do_work(), 0U);
  ASSERT_TRUE(s.queues.pause.is_quiesced());
  s.cycle.rebuild({1, 2}, any(1, 0b1, AckLevel::durable));
  s.server.told = {};
  s.queues.pause.resume();
  const SourceMarks marks = s.marks();
  EXPECT_EQ(marks.quorum, 0U);
  EXPECT_EQ(marks.synced, 0U);
  EXPECT_EQ(marks.released, 0U);
  EXPECT_FALSE(marks.replicas[0].connected);
}

TEST(SourceCycle, AStreamThatCannotGoOnIsReportedOnce) {
  Source s;
  s.stream.stopped = true;
  for (int i = 0; i < 5; ++i) s.turn();
  const auto events = s.events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].kind, SourceEvent::Kind::stream_stopped);
}

}  // namespace binlane::source_cycle_test
