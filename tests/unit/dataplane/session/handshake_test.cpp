// SourceHandshake and ReplicaHandshake against each other: what they agree on, what they refuse,
// and what the network may do to their messages.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "dataplane/session/replica_handshake.h"
#include "dataplane/session/source_handshake.h"
#include "support/frames.h"
#include "support/memory_log.h"
#include "support/memory_stream.h"

namespace binlane {
namespace {

using test::MemoryLog;
using test::MemoryStream;

constexpr std::uint64_t kCluster = 0xc1;
constexpr std::uint64_t kStepNs = 10 * kNanosPerMilli;

Uuid uuid_of(std::uint8_t number) {
  Uuid uuid;
  uuid.bytes.fill(number);
  return uuid;
}

// Completes every write that the log can hand out.
void complete_writes(MemoryLog& log) {
  while (const auto write = log.next_write())
    log.on_completion({write->id, static_cast<std::int32_t>(write->length)});
}

// Appends what the stream holds in [from, to) to the log, durable.
void copy_stream(MemoryStream& stream, MemoryLog& log, std::uint64_t from, std::uint64_t to) {
  std::vector<std::byte> buffer(1000);
  while (from < to) {
    StreamSlice slice;
    const auto room = std::min<std::uint64_t>(buffer.size(), to - from);
    ASSERT_EQ(stream.read(from, MutableBytes(buffer).first(room), slice), 0);
    ASSERT_TRUE(slice.file_end ? log.append_file_end(slice.end)
                               : log.append(slice.at, ConstBytes(buffer).first(slice.length)));
    from += slice.length;
    complete_writes(log);
  }
}

std::vector<std::byte> noise(std::size_t size, std::uint32_t seed = 1) {
  std::mt19937 random(seed);
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

struct Pair {
  MemoryStream stream;
  std::unique_ptr<MemoryLog> log = std::make_unique<MemoryLog>(256, 1U << 16);
  std::optional<SourceHandshake> source;
  std::unique_ptr<ReplicaHandshake> replica = std::make_unique<ReplicaHandshake>(kCluster, "r1");
  ReceiverSession session{1000};
  SourceHandshake::Identity identity;
  Uuid held_origin;  // as the replica's control thread tells it
  std::uint32_t held_term = 0;
  Epoch promised;
  std::string rules;
  std::string replica_refuses;
  std::uint32_t below_digest = 0;
  std::uint64_t below_length = 0;
  Position below_end;
  std::uint64_t now_ns = 1'000 * kNanosPerMilli;
  // What the network does to a message: how many copies arrive.
  std::function<int(bool to_replica, wire::Phase phase)> copies = [](bool, wire::Phase) {
    return 1;
  };
  std::uint64_t hellos = 0;
  std::uint64_t answers = 0;
  bool acks_alone = false;
  std::uint64_t whole_groups_log = UINT64_MAX;
  std::string replica_heard;  // the reason of a REFUSE

  explicit Pair(std::uint32_t first_file = 1) : stream(first_file, 1U << 16) {
    identity.cluster_id = kCluster;
    identity.origin = uuid_of(9);
    identity.epoch = {1, 5};
    identity.source_name = "s";
    identity.replica_name = "r1";
    identity.basename = "binlog";
  }
  // The replica holds the stream up to `length`, released up to `released`.
  void hold(std::uint64_t length, std::uint64_t released) {
    held_origin = identity.origin;
    log->begin_at(stream.position_of(0));
    ASSERT_TRUE(log->start_epoch({1, 4}));
    complete_writes(*log);
    copy_stream(stream, *log, 0, length);
    log->release(released);
    ASSERT_EQ(log->durable_log(), length);
    ASSERT_EQ(log->released_log(), released);
  }
  void begin(Position safe = {}) { source.emplace(identity, stream, safe); }

  AdmittedHello admit(const HelloMessage& message) {
    AdmittedHello admitted;
    admitted.message = message;
    admitted.refused = !replica_refuses.empty();
    set_field(admitted.reason, replica_refuses);
    if (!log->end().is_null()) admitted.origin = held_origin;
    admitted.stream_term = held_term;
    admitted.promised = promised;
    set_field(admitted.rules, rules);
    admitted.journal_id = uuid_of(4);
    admitted.answer_id = ++answers;
    admitted.bound = body_as<wire::HelloBody>(test::view_of(message.frame())).answer_id != 0;
    admitted.acks_alone = acks_alone;
    admitted.whole_groups_log = whole_groups_log;
    admitted.looked_to_log = log->end_log();
    admitted.below_digest = below_digest;
    admitted.below_length = below_length;
    admitted.below_end = below_end;
    return admitted;
  }
  void to_source(const HelloMessage& reply) {
    const FrameView view = test::view_of(reply.frame());
    const auto phase = static_cast<wire::Phase>(body_as<wire::HelloAckBody>(view).phase);
    for (int i = copies(false, phase); i > 0; --i) source->on_reply(view, {2, 2}, now_ns);
  }
  void to_replica(const HelloMessage& message) {
    HelloMessage reply;
    if (replica->on_hello(admit(message), *log, session, 0, reply)) to_source(reply);
  }
  void step() {
    now_ns += kStepNs;
    HelloMessage message;
    if (source->poll(now_ns, message)) {
      ++hellos;
      const auto body = body_as<wire::HelloBody>(test::view_of(message.frame()));
      const auto phase = static_cast<wire::Phase>(body.phase);
      if (phase == wire::Phase::refuse) replica_heard = field_text(body.reason);
      for (int i = copies(true, phase); i > 0; --i) to_replica(message);
    }
    HelloMessage reply;
    if (replica->poll(*log, session, 0, reply)) to_source(reply);
    complete_writes(*log);
  }
  // False when neither a session nor a refusal came about within the time.
  bool run(std::uint64_t limit_ns = 3 * kNanosPerSecond) {
    const std::uint64_t end_ns = now_ns + limit_ns;
    while (now_ns < end_ns) {
      step();
      if (source->session() || source->inspection() || !source->refusal().empty()) {
        step();  // a refusal is sent to the replica as well
        return true;
      }
    }
    return false;
  }
};

// What holds after every successful handshake.
void expect_match(const Pair& pair) {
  ASSERT_TRUE(pair.source->session());
  const auto& session = *pair.source->session();
  const MemoryLog& log = *pair.log;
  EXPECT_TRUE(pair.session.active());
  EXPECT_EQ(pair.session.session_id(), session.session_id);
  EXPECT_EQ(log.epoch(), pair.identity.epoch);
  EXPECT_TRUE(log.records_durable());
  EXPECT_EQ(log.durable_log(), log.end_log());
  EXPECT_EQ(pair.session.origin_log(), log.released_log());
  EXPECT_EQ(session.durable.value, log.end_log() - log.released_log());
  EXPECT_EQ(pair.stream.position_of(session.origin), log.released());
  ASSERT_LE(session.origin + session.durable.value, pair.stream.written());
  for (std::uint64_t i = 0; i < session.durable.value; ++i) {
    const std::uint64_t at = session.origin + i;
    if (pair.stream.position_of(at).offset == kInUseOffset) continue;
    ASSERT_EQ(log.unit(log.released_log() + i), pair.stream.unit(at)) << "unit " << at;
    ASSERT_EQ(log.file_end_at(log.released_log() + i) != nullptr, pair.stream.is_file_end(at));
  }
}

TEST(Handshake, ABlankReplicaTakesTheStreamFromItsBeginning) {
  Pair p(7);
  p.stream.append(noise(500));
  p.begin();
  ASSERT_TRUE(p.run());
  expect_match(p);
  EXPECT_EQ(p.source->session()->origin, 0U);
  EXPECT_EQ(p.source->session()->durable.value, 0U);
  EXPECT_EQ(p.log->end(), (Position{7, 0}));
  EXPECT_EQ(p.source->session()->journal_id, uuid_of(4));
  EXPECT_EQ(p.hellos, 2U);
}

TEST(Handshake, EqualLogsAreNotCut) {
  Pair p;
  p.stream.append(noise(500));
  p.hold(500, 100);
  p.begin();
  ASSERT_TRUE(p.run());
  expect_match(p);
  EXPECT_EQ(p.source->session()->origin, 100U);
  EXPECT_EQ(p.source->session()->durable.value, 400U);
  EXPECT_EQ(p.source->session()->cut, 0U);
}

TEST(Handshake, AReplicaThatIsBehindGoesOn) {
  Pair p;
  p.stream.append(noise(500));
  p.stream.end_file();
  p.stream.append(noise(300));
  p.hold(450, 450);
  p.begin();
  ASSERT_TRUE(p.run());
  expect_match(p);
  EXPECT_EQ(p.source->session()->origin, 450U);
  EXPECT_EQ(p.source->session()->durable.value, 0U);
}

TEST(Handshake, AnUnsyncedTailThatTheSourceLostIsCut) {
  Pair p;
  p.stream.append(noise(500));
  p.hold(500, 100);
  p.stream.truncate(333);
  p.begin({1, 200});
  ASSERT_TRUE(p.run());
  expect_match(p);
  EXPECT_EQ(p.log->end_log(), 333U);
  EXPECT_EQ(p.source->session()->cut, 167U);
}

// The files of the source: 0…119, an end, 121…239, an end, 241…299. Every single unit of the
// replica's log differs once.
TEST(Handshake, TheFirstDifferenceIsFoundToTheByte) {
  constexpr std::uint64_t kReleased = 30;
  for (std::uint64_t at = kReleased; at < 300; ++at) {
    Pair p;
    p.stream.append(noise(120));
    p.stream.end_file();
    p.stream.append(noise(119, 2));
    p.stream.end_file();
    p.stream.append(noise(59, 3));
    ASSERT_EQ(p.stream.written(), 300U);
    if (p.stream.is_file_end(at)) continue;  // see the next test
    const bool masked = p.stream.position_of(at).offset == kInUseOffset;
    p.stream.bytes()[at] ^= std::byte{0x80};
    p.hold(300, kReleased);
    p.stream.bytes()[at] ^= std::byte{0x80};
    p.begin();
    ASSERT_TRUE(p.run()) << at;
    expect_match(p);
    EXPECT_EQ(p.log->end_log(), at) << (masked ? "masked" : "");
    EXPECT_EQ(p.source->session()->cut, 300 - at);
    // 270 units, 128 digests a round: one round to a chunk of 3, one to the byte.
    EXPECT_LE(p.hellos, 4U);
  }
}

TEST(Handshake, TheInUseFlagIsNoDifference) {
  Pair p;
  p.stream.append(noise(120));
  p.hold(120, 10);
  p.stream.bytes()[kInUseOffset] ^= kInUseBit;
  p.begin();
  ASSERT_TRUE(p.run());
  EXPECT_EQ(p.source->session()->cut, 0U);
}

TEST(Handshake, FileBoundsAreCompared) {
  for (const bool source_ended : {true, false}) {
    Pair replica_side;  // only to fill a log with the other bounds
    Pair p;
    p.stream.append(noise(100));
    replica_side.stream.append(noise(100));
    // The same byte values in both: one of them is a file's end.
    (source_ended ? p : replica_side).stream.end_file();
    (source_ended ? replica_side : p).stream.append(std::vector<std::byte>(1, std::byte{0xfe}));
    p.stream.append(noise(50, 2));
    replica_side.stream.append(noise(50, 2));
    replica_side.hold(151, 20);
    p.log = std::move(replica_side.log);
    p.held_origin = p.identity.origin;
    p.begin();
    ASSERT_TRUE(p.run());
    expect_match(p);
    EXPECT_EQ(p.log->end_log(), 100U);
  }
}

TEST(Handshake, RandomLogsMatchAfterwardsWhateverTheyWere) {
  std::mt19937 random(4);
  for (int round = 0; round < 200; ++round) {
    Pair p;
    const std::size_t size = 1 + random() % 20'000;
    for (std::size_t left = size; left > 0;) {
      const std::size_t part = std::min<std::size_t>(left, 1 + random() % 5000);
      p.stream.append(noise(part, static_cast<std::uint32_t>(random())));
      left -= part;
      if (random() % 3 == 0) p.stream.end_file();
    }
    const std::uint64_t length = random() % (p.stream.written() + 1);
    const std::uint64_t released = random() % (length + 1);
    p.hold(length, released);
    // The source lost a tail and wrote something else.
    const std::uint64_t keep = released + random() % (p.stream.written() - released + 1);
    p.stream.truncate(keep);
    if (random() % 2 == 0)
      p.stream.append(noise(1 + random() % 3000, static_cast<std::uint32_t>(random())));
    p.begin();
    ASSERT_TRUE(p.run()) << "round " << round;
    ASSERT_TRUE(p.source->session()) << p.source->refusal();
    expect_match(p);
    EXPECT_GE(p.log->end_log(), std::min(length, keep)) << "cut too much";
  }
}

TEST(Handshake, ACutBelowWhatWasSyncedAndHeldByAQuorumIsRefused) {
  Pair p;
  p.stream.append(noise(500));
  p.hold(500, 100);
  p.stream.bytes()[250] ^= std::byte{1};
  p.begin({1, 251});
  ASSERT_TRUE(p.run());
  EXPECT_FALSE(p.source->session());
  EXPECT_NE(p.source->refusal().find("1:250"), std::string::npos) << p.source->refusal();
  EXPECT_EQ(p.replica_heard, p.source->refusal().substr(0, wire::kReasonSize - 1));
  EXPECT_EQ(p.log->end_log(), 500U);

  // At the very byte it is allowed.
  Pair q;
  q.stream.append(noise(500));
  q.hold(500, 100);
  q.stream.bytes()[250] ^= std::byte{1};
  q.begin({1, 250});
  ASSERT_TRUE(q.run());
  EXPECT_TRUE(q.source->session());
}

// The replica was away while the source's server crashed, and for the incarnation after that, in
// which others made a quorum: its tail was never safe.
TEST(Handshake, AReplicaThatMissedAnIncarnationIsHeldToWhatWasSafeBefore) {
  const auto refused_with = [](std::vector<SafeMark> earlier) {
    Pair p;
    p.stream.append(noise(500));
    p.hold(500, 100);  // in epoch 1.4
    p.stream.bytes()[250] ^= std::byte{1};
    p.identity.epoch = {1, 6};
    p.source.emplace(p.identity, p.stream, Position{1, 400}, std::move(earlier));
    EXPECT_TRUE(p.run());
    return !p.source->session().has_value();
  };
  EXPECT_TRUE(refused_with({}));
  EXPECT_FALSE(refused_with({{{1, 5}, {1, 250}}}));
  EXPECT_FALSE(
      refused_with({{{1, 4}, {1, 300}}, {{1, 5}, {1, 250}}}));  // its own epoch says nothing
  EXPECT_TRUE(refused_with({{{1, 5}, {1, 251}}}));
  EXPECT_TRUE(refused_with({{{1, 3}, {1, 10}}, {{1, 4}, {1, 20}}}));
}

TEST(Handshake, ASourceThatEndsBelowReleasedIsRefused) {
  Pair p;
  p.stream.append(noise(500));
  p.hold(500, 300);
  p.stream.truncate(299);
  p.begin();
  ASSERT_TRUE(p.run());
  EXPECT_FALSE(p.source->session());
  EXPECT_NE(p.source->refusal().find("1:300"), std::string::npos) << p.source->refusal();
  EXPECT_FALSE(p.replica_heard.empty());
}

TEST(Handshake, ADifferenceBelowReleasedIsRefused) {
  for (const bool differs : {false, true}) {
    Pair p;
    p.stream.append(noise(500));
    p.hold(500, 300);
    p.below_end = {1, 300};
    p.below_length = 300;
    p.below_digest = *p.stream.digest(0, 300);
    if (differs) p.stream.bytes()[299] ^= std::byte{4};
    p.begin();
    ASSERT_TRUE(p.run());
    EXPECT_EQ(p.source->session().has_value(), !differs);
    EXPECT_EQ(p.source->refusal().find("re-seed") != std::string::npos, differs);
  }
}

TEST(Handshake, AnArchiveDigestThatCannotBeCheckedDoesNotRefuse) {
  // The archived bytes may be in a file that was purged here since.
  Pair p;
  p.stream.append(noise(100));
  p.stream.end_file();
  p.stream.append(noise(100));
  p.hold(150, 120);
  p.stream.purge(2);
  p.below_end = {1, 100};
  p.below_length = 100;
  p.below_digest = 1;
  p.begin();
  ASSERT_TRUE(p.run());
  EXPECT_TRUE(p.source->session()) << p.source->refusal();
}

TEST(Handshake, APurgedBeginningIsRefused) {
  Pair p;
  p.stream.append(noise(100));
  p.stream.end_file();
  p.stream.append(noise(100));
  p.hold(50, 50);
  p.stream.purge(2);
  p.begin();
  ASSERT_TRUE(p.run());
  EXPECT_FALSE(p.source->session());
  // Both sides say what is left to do, in full.
  EXPECT_NE(p.source->refusal().find("purged; fetch it from a peer's archive or re-seed"),
            std::string::npos)
      << p.source->refusal();
  ASSERT_FALSE(p.replica_heard.empty());
  EXPECT_NE(p.replica_heard.find("or re-seed the replica"), std::string::npos) << p.replica_heard;
}

TEST(Handshake, AnotherSourcesStreamIsRefusedByBothSides) {
  {
    Pair p;
    p.stream.append(noise(100));
    p.hold(100, 50);
    p.replica_refuses = "this journal holds another stream";
    p.begin();
    ASSERT_TRUE(p.run());
    EXPECT_FALSE(p.source->session());
    EXPECT_NE(p.source->refusal().find("another stream"), std::string::npos);
  }
  Pair p;
  p.stream.append(noise(100));
  p.hold(100, 50);
  p.held_origin = uuid_of(8);  // and the replica did not notice
  p.begin();
  ASSERT_TRUE(p.run());
  EXPECT_FALSE(p.source->session());
  EXPECT_NE(p.source->refusal().find("another"), std::string::npos) << p.source->refusal();
}

TEST(Handshake, AnOlderEpochIsRefused) {
  Pair p;
  p.stream.append(noise(100));
  p.hold(100, 50);
  p.identity.epoch = {1, 3};
  p.begin();
  ASSERT_TRUE(p.run());
  EXPECT_FALSE(p.source->session());
  EXPECT_NE(p.source->refusal().find("epoch"), std::string::npos);
  EXPECT_FALSE(p.session.active());
}

TEST(Handshake, ARefusedReplicaIsAskedAgainAndMayBeMended) {
  Pair p;
  p.stream.append(noise(100));
  p.hold(100, 50);
  p.replica_refuses = "not now";
  p.begin();
  ASSERT_TRUE(p.run());
  const std::uint64_t asked = p.hellos;
  for (std::uint64_t ns = 0; ns < 3 * kRefusedRepeatNs; ns += kStepNs) p.step();
  EXPECT_GE(p.hellos, asked + 2);
  EXPECT_LE(p.hellos, asked + 4);
  p.replica_refuses.clear();
  for (std::uint64_t ns = 0; ns < 2 * kRefusedRepeatNs && !p.source->session(); ns += kStepNs)
    p.step();
  expect_match(p);
  EXPECT_TRUE(p.source->refusal().empty());
}

TEST(Handshake, TheRingMayBeFullForAWhile) {
  Pair p;
  p.log = std::make_unique<MemoryLog>(8, 1U << 16);
  p.held_origin = p.identity.origin;
  p.stream.append(noise(3000));
  p.log->begin_at({1, 0});
  ASSERT_TRUE(p.log->start_epoch({1, 4}));
  complete_writes(*p.log);
  copy_stream(p.stream, *p.log, 0, 2500);
  for (std::uint32_t i = 0; i < 4; ++i) {
    ASSERT_TRUE(p.log->cut(2500, {1, 4}));
    complete_writes(*p.log);
  }
  ASSERT_FALSE(p.log->cut(2500, {1, 4}));  // not even a record fits
  p.log->release(2000);
  p.begin();
  for (int i = 0; i < 30; ++i) p.step();
  EXPECT_FALSE(p.source->session());
  EXPECT_FALSE(p.session.active());
  p.log->on_archived(p.log->release_mark().sequence);
  ASSERT_TRUE(p.run());
  expect_match(p);
}

TEST(Handshake, WritesInFlightSettleBeforeTheSession) {
  Pair p;
  p.stream.append(noise(500));
  p.hold(400, 100);
  ASSERT_TRUE(p.log->append({1, 400}, ConstBytes(noise(500)).subspan(400)));
  const auto write = p.log->next_write();
  ASSERT_TRUE(write);
  p.begin();
  HelloMessage message;
  HelloMessage reply;
  for (int i = 0; i < 40; ++i) {  // the disk takes its time
    p.now_ns += kStepNs;
    if (p.source->poll(p.now_ns, message)) p.to_replica(message);
    ASSERT_FALSE(p.replica->poll(*p.log, p.session, 0, reply));
    ASSERT_FALSE(p.session.active());
  }
  EXPECT_TRUE(p.replica->settling());
  p.log->on_completion({write->id, static_cast<std::int32_t>(write->length)});
  ASSERT_TRUE(p.run());
  expect_match(p);
  EXPECT_EQ(p.source->session()->durable.value, 400U);
}

// Safety rule S11: a cut that a crash could undo must not be the ground of a single ACK.
TEST(Handshake, NoSessionBeginsBeforeItsRecordIsDurable) {
  for (const bool cut : {false, true}) {
    Pair p;
    p.stream.append(noise(500));
    p.hold(500, 100);
    if (cut) p.stream.bytes()[300] ^= std::byte{1};
    p.begin();
    HelloMessage message;
    HelloMessage reply;
    std::optional<DiskWrite> record;
    for (int i = 0; i < 200; ++i) {  // far longer than the handshake takes; the disk does nothing
      p.now_ns += kStepNs;
      if (p.source->poll(p.now_ns, message)) p.to_replica(message);
      ASSERT_FALSE(p.replica->poll(*p.log, p.session, 0, reply));
      ASSERT_FALSE(p.session.active());
      if (!record) record = p.log->next_write();
    }
    ASSERT_TRUE(record);
    p.log->on_completion({record->id, static_cast<std::int32_t>(record->length)});
    ASSERT_TRUE(p.run());
    expect_match(p);
    EXPECT_EQ(p.source->session()->cut, cut ? 200U : 0U);
  }
}

TEST(Handshake, AFailedJournalRefuses) {
  Pair p;
  p.stream.append(noise(500));
  p.hold(400, 100);
  ASSERT_TRUE(p.log->append({1, 400}, ConstBytes(noise(500)).subspan(400)));
  const auto write = p.log->next_write();
  p.log->on_completion({write->id, -EIO});
  p.begin();
  ASSERT_TRUE(p.run());
  EXPECT_FALSE(p.source->session());
  EXPECT_NE(p.source->refusal().find("device failed"), std::string::npos);
}

TEST(Handshake, AReplicaRestartedInTheMiddleStartsAnew) {
  for (int restart_after = 1; restart_after <= 4; ++restart_after) {
    Pair p;
    p.stream.append(noise(5000));
    p.hold(5000, 100);
    p.stream.bytes()[3000] ^= std::byte{1};
    p.begin();
    int messages = 0;
    p.copies = [&](bool to_replica, wire::Phase) {
      if (to_replica && ++messages == restart_after + 1) {
        p.replica = std::make_unique<ReplicaHandshake>(kCluster, "r1");
        p.session.stop();
      }
      return 1;
    };
    ASSERT_TRUE(p.run(2 * kHelloAttemptNs)) << restart_after;
    expect_match(p);
    EXPECT_EQ(p.log->end_log(), 3000U);
  }
}

TEST(Handshake, ASourceRestartedInTheMiddleStartsAnew) {
  Pair p;
  p.stream.append(noise(5000));
  p.hold(5000, 100);
  p.stream.bytes()[3000] ^= std::byte{1};
  p.begin();
  p.step();
  p.step();
  p.identity.epoch = {1, 6};
  p.begin();
  ASSERT_TRUE(p.run());
  expect_match(p);
}

TEST(Handshake, EveryMessageMayBeLostOrDoubled) {
  std::mt19937 random(8);
  for (int round = 0; round < 300; ++round) {
    Pair p;
    p.stream.append(noise(5000));
    p.hold(5000, 100);
    p.stream.truncate(100 + random() % 4900);
    p.stream.append(noise(1000, 77));
    p.begin();
    p.copies = [&](bool, wire::Phase) {
      const auto roll = random() % 10;
      return roll < 3 ? 0 : roll < 6 ? 2 : 1;
    };
    ASSERT_TRUE(p.run(60 * kNanosPerSecond)) << "round " << round;
    ASSERT_TRUE(p.source->session()) << p.source->refusal();
    expect_match(p);
  }
}

// Runs a handshake to its session, and keeps what the source said.
void run_and_keep(Pair& p, std::vector<HelloMessage>& kept) {
  while (!p.source->session()) {
    p.now_ns += kStepNs;
    HelloMessage message;
    if (p.source->poll(p.now_ns, message)) {
      kept.push_back(message);
      p.to_replica(message);
    }
    HelloMessage reply;
    if (p.replica->poll(*p.log, p.session, 0, reply)) p.to_source(reply);
    complete_writes(*p.log);
    ASSERT_LT(kept.size(), 20U);
  }
}

// Duplicates that the network held back until the session ran.
TEST(Handshake, LateDuplicatesDoNotDisturbTheSession) {
  Pair p;
  p.stream.append(noise(5000));
  p.hold(5000, 100);
  p.stream.bytes()[3000] ^= std::byte{1};
  p.begin();
  std::vector<HelloMessage> kept;
  ASSERT_NO_FATAL_FAILURE(run_and_keep(p, kept));
  ASSERT_GE(kept.size(), 3U);  // ask, compare, start
  for (const HelloMessage& message : kept) {
    p.to_replica(message);
    HelloMessage reply;
    EXPECT_FALSE(p.replica->poll(*p.log, p.session, 0, reply));
    expect_match(p);
  }
}

// The network kept a whole handshake, and the replica's journal was replaced meanwhile.
TEST(Handshake, ALateStartBeginsNoSessionOnAnotherJournal) {
  Pair p;
  p.stream.append(noise(500));
  p.begin();
  std::vector<HelloMessage> kept;
  ASSERT_NO_FATAL_FAILURE(run_and_keep(p, kept));
  p.replica = std::make_unique<ReplicaHandshake>(kCluster, "r1");
  p.log = std::make_unique<MemoryLog>(256, 1U << 16);
  p.session.stop();
  for (const HelloMessage& message : kept) {
    p.to_replica(message);
    HelloMessage reply;
    p.replica->poll(*p.log, p.session, 0, reply);
    complete_writes(*p.log);
  }
  EXPECT_FALSE(p.session.active());
  EXPECT_FALSE(p.replica->settling());
}

TEST(Handshake, TheRepeatedAnswerToStartIsTheSame) {
  // STARTED was lost: the source says START again.
  Pair p;
  p.stream.append(noise(500));
  p.hold(500, 100);
  p.begin();
  int starteds = 0;
  p.copies = [&](bool to_replica, wire::Phase phase) {
    return !to_replica && phase == wire::Phase::start && ++starteds <= 2 ? 0 : 1;
  };
  ASSERT_TRUE(p.run());
  expect_match(p);
  EXPECT_EQ(starteds, 3);
}

// --- answers that no replica of ours would give ---

struct Liar : Pair {
  Liar() {
    stream.append(noise(500));
    hold(500, 100);
    begin();
  }
  // Sends the HELLO that is due to the replica and hands its answer, changed, to the source.
  bool exchange(const std::function<void(wire::HelloAckBody&)>& change) {
    HelloMessage message;
    HelloMessage reply;
    for (int i = 0; i < 200; ++i) {
      now_ns += kStepNs;
      complete_writes(*log);
      const bool due = source->poll(now_ns, message);
      const bool answered = (due && replica->on_hello(admit(message), *log, session, 0, reply)) ||
                            replica->poll(*log, session, 0, reply);
      if (!answered) continue;
      const FrameView view = test::view_of(reply.frame());
      auto body = body_as<wire::HelloAckBody>(view);
      change(body);
      const FrameTags tags{wire::Type::hello_ack, 0, view.header.session_id, view.epoch(), 0};
      const auto forged = test::make_frame(tags, body);
      return source->on_reply(test::view_of(forged), {2, 2}, now_ns);
    }
    return false;
  }
};

TEST(Handshake, AnswersToSomethingElseAreIgnored) {
  const std::function<void(wire::HelloAckBody&)> changes[] = {
      [](auto& body) { body.cluster_id = 5; },
      [](auto& body) { body.handshake_id = body.handshake_id + 1; },
      [](auto& body) { body.phase = static_cast<std::uint8_t>(wire::Phase::compare); },
      [](auto& body) { set_field(body.replica_name, "r2"); },
      [](auto& body) { std::memset(body.replica_name, 'r', sizeof body.replica_name); },
  };
  for (const auto& change : changes) {
    Liar p;
    EXPECT_FALSE(p.exchange(change));
    EXPECT_TRUE(p.source->refusal().empty());
  }
}

TEST(Handshake, NothingIsAnsweredBeforeItWasAsked) {
  Pair p;
  p.begin();
  wire::HelloAckBody body;
  body.cluster_id = kCluster;
  body.phase = static_cast<std::uint8_t>(wire::Phase::ask);
  set_field(body.replica_name, "r1");
  const FrameTags tags{wire::Type::hello_ack, 0, 0, p.identity.epoch, 0};
  const auto frame = test::make_frame(tags, body);
  EXPECT_FALSE(p.source->on_reply(test::view_of(frame), {2, 2}, p.now_ns));
}

TEST(Handshake, DigestsThatContradictThemselvesAreRefused) {
  const std::function<void(wire::HelloAckBody&)> changes[] = {
      [](auto& body) { body.digest_count = wire::kDigests + 1; },
      [](auto& body) { body.digest_count = body.digest_count - 1; },
      [](auto& body) { body.digest_count = 0; },
      [](auto& body) { body.digest_chunk = 0; },
      [](auto& body) {
        body.digest_chunk = UINT64_MAX;  // would wrap around to a range before its beginning
        body.digest_count = 1;
      },
      [](auto& body) { body.digest_from = 5; },  // leaves a part out that would count as equal
      [](auto& body) { body.digest_to = body.digest_to - 1; },
      [](auto& body) { body.digest_from = body.digest_to = 200, body.digest_count = 0; },
      [](auto& body) { body.digest_from = body.digest_to + 1; },
      [](auto& body) { body.log_length = body.log_length + 1; },
      [](auto& body) { body.log_length = UINT64_MAX, body.digest_to = UINT64_MAX; },
  };
  for (const auto& change : changes) {
    Liar p;
    EXPECT_TRUE(p.exchange(change));
    HelloMessage message;
    ASSERT_TRUE(p.source->poll(p.now_ns, message));
    EXPECT_EQ(body_as<wire::HelloBody>(test::view_of(message.frame())).phase,
              static_cast<std::uint8_t>(wire::Phase::refuse))
        << "change " << &change - changes;
    EXPECT_FALSE(p.source->refusal().empty());
  }
}

TEST(Handshake, StartedWithAnotherLengthThanAgreedIsNotBelieved) {
  for (const std::uint64_t length :
       {std::uint64_t{0}, std::uint64_t{399}, std::uint64_t{401}, UINT64_MAX}) {
    Liar p;
    ASSERT_TRUE(p.exchange([](auto&) {}));  // ask
    p.exchange([&](auto& body) { body.log_length = length; });
    EXPECT_FALSE(p.source->session()) << length;
    // It asks again, and the truth is accepted.
    ASSERT_TRUE(p.run());
    expect_match(p);
  }
}

// --- a promotion looks at its peers ---

// The candidate's log is `stream`; it inspects a replica that holds what `theirs` says.
const SourceHandshake::Inspection* inspect(Pair& p) {
  p.identity.epoch = {2, 0};
  p.identity.inspect = true;
  p.begin();
  if (!p.run() || !p.source->inspection()) return nullptr;
  EXPECT_FALSE(p.source->session());
  EXPECT_FALSE(p.session.active());
  return &*p.source->inspection();
}

TEST(Inspection, TellsHowTheLogsStand) {
  using Match = SourceHandshake::Match;
  struct Case {
    std::uint64_t theirs, ours;
    std::int64_t flip;  // unit that differs; -1: none
    Match match;
    std::uint64_t common;
  };
  const Case cases[] = {
      {500, 500, -1, Match::same, 500},     {300, 500, -1, Match::prefix, 300},
      {100, 500, -1, Match::prefix, 100},   {500, 499, -1, Match::longer, 499},
      {500, 100, -1, Match::longer, 100},   {500, 60, -1, Match::longer, 60},
      {500, 500, 499, Match::differs, 499}, {500, 500, 100, Match::differs, 100},
      {500, 300, 299, Match::differs, 299}, {300, 500, 250, Match::differs, 250},
  };
  for (const Case& c : cases) {
    Pair p;
    p.stream.append(noise(500));
    p.hold(c.theirs, 100);
    p.stream.truncate(c.ours);
    if (c.flip >= 0) p.stream.bytes()[static_cast<std::size_t>(c.flip)] ^= std::byte{1};
    p.rules = "ANY 1 (r1, r2)";
    const auto* found = inspect(p);
    ASSERT_NE(found, nullptr) << p.source->refusal();
    EXPECT_EQ(found->match, c.match) << c.theirs << " " << c.ours << " " << c.flip;
    EXPECT_EQ(found->common, (Position{1, c.common})) << c.theirs << " " << c.ours;
    EXPECT_EQ(found->end, (Position{1, c.theirs}));
    EXPECT_EQ(found->log_epoch, (Epoch{1, 4}));
    EXPECT_EQ(found->journal_id, uuid_of(4));
    EXPECT_EQ(found->rules, "ANY 1 (r1, r2)");
    // Nothing was cut, and no session has begun.
    EXPECT_EQ(p.log->end_log(), c.theirs);
    EXPECT_EQ(p.log->epoch(), (Epoch{1, 4}));
    // It asks no more.
    const std::uint64_t hellos = p.hellos;
    for (int i = 0; i < 100; ++i) p.step();
    EXPECT_EQ(p.hellos, hellos);
  }
}

TEST(Inspection, ForeignAndBlankLogsAreToldNotCompared) {
  Pair foreign;
  foreign.stream.append(noise(500));
  foreign.hold(400, 100);
  foreign.held_origin = uuid_of(77);
  foreign.held_term = 3;
  const auto* found = inspect(foreign);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->match, SourceHandshake::Match::other_stream);
  EXPECT_EQ(found->origin, uuid_of(77));
  EXPECT_EQ(found->stream_term, 3U);
  Pair blank;
  blank.stream.append(noise(500));
  found = inspect(blank);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->match, SourceHandshake::Match::other_stream);
  EXPECT_TRUE(found->origin.is_null());
}

// S1: writes in flight are settled before the answer, and what completes later is not acknowledged.
TEST(Inspection, WaitsForWritesInFlight) {
  Pair p;
  p.stream.append(noise(500));
  p.hold(300, 100);
  p.begin();
  ASSERT_TRUE(p.run());
  ASSERT_TRUE(p.session.active());
  ASSERT_TRUE(p.log->append({1, 300}, ConstBytes(p.stream.bytes()).subspan(300, 100)));
  const auto write = p.log->next_write();
  ASSERT_TRUE(write);
  ASSERT_FALSE(p.log->idle());
  SourceHandshake::Identity identity = p.identity;
  identity.epoch = {2, 0};
  identity.inspect = true;
  SourceHandshake candidate(identity, p.stream, {});
  HelloMessage message;
  ASSERT_TRUE(candidate.poll(p.now_ns, message));
  HelloMessage reply;
  // The session ends only for a sender that hears the answers.
  ASSERT_TRUE(p.replica->on_hello(p.admit(message), *p.log, p.session, 0, reply));
  EXPECT_TRUE(p.session.active());
  candidate.on_reply(test::view_of(reply.frame()), {2, 2}, p.now_ns);
  ASSERT_TRUE(candidate.poll(p.now_ns, message));
  EXPECT_FALSE(p.replica->on_hello(p.admit(message), *p.log, p.session, 0, reply));
  EXPECT_FALSE(p.session.active());
  EXPECT_FALSE(p.replica->poll(*p.log, p.session, 0, reply));
  p.log->on_completion({write->id, static_cast<std::int32_t>(write->length)});
  ASSERT_TRUE(p.log->idle());
  ASSERT_TRUE(p.replica->poll(*p.log, p.session, 0, reply));
  candidate.on_reply(test::view_of(reply.frame()), {2, 2}, p.now_ns);
  ASSERT_TRUE(candidate.inspection());
  EXPECT_EQ(candidate.inspection()->end, (Position{1, 400}));
  EXPECT_FALSE(p.session.active());
  // A late frame of the old session changes nothing: there is no session.
  EXPECT_FALSE(p.session.ack_due(*p.log, p.now_ns + kNanosPerSecond));
}

TEST(Handshake, APromiseToALaterTermDeposesTheSource) {
  Pair p;
  p.stream.append(noise(500));
  p.hold(300, 100);
  p.promised = {1, 0};
  p.begin();
  ASSERT_TRUE(p.run());
  EXPECT_FALSE(p.source->deposed());
  p.promised = {7, 0};
  p.replica_refuses = "term 1 is over";
  p.begin();
  ASSERT_TRUE(p.run());
  EXPECT_FALSE(p.source->session());
  EXPECT_TRUE(p.source->deposed());
  EXPECT_EQ(p.source->promised_term(), 7U);
}

// A candidate repeats what is not answered in time. The repetition that arrives after the promise
// has no proof yet, and is told of a promise of its own term.
TEST(Handshake, ALateHelloDoesNotTakeItsOwnPromiseForSomebodyElses) {
  Pair p;
  p.stream.append(noise(500));
  p.hold(300, 100);
  p.identity.inspect = true;
  p.identity.epoch = {7, 0};
  p.identity.candidate = uuid_of(5);
  p.begin();
  HelloMessage message;
  ASSERT_TRUE(p.source->poll(p.now_ns, message));
  AdmittedHello late = p.admit(message);
  late.refused = late.not_bound = true;
  set_field(late.reason, "it names no answer");
  const auto answer = [&](Epoch promised) {
    late.promised = promised;
    HelloMessage reply;
    ASSERT_TRUE(p.replica->on_hello(late, *p.log, p.session, 0, reply));
    ASSERT_TRUE(p.source->on_reply(test::view_of(reply.frame()), {2, 2}, p.now_ns));
  };
  answer({7, 0});
  EXPECT_EQ(p.source->promised_term(), 0U);
  EXPECT_FALSE(p.source->deposed());
  answer({8, 0});
  EXPECT_EQ(p.source->promised_term(), 8U);
  EXPECT_TRUE(p.source->deposed());
}

// The answer to its FENCE names the promise. While the logs are then compared there is no
// inspection yet, and the promise is still the candidate's own.
TEST(Handshake, AnAnswerWithACandidatesOwnPromiseIsNoOthers) {
  for (const bool own : {true, false}) {
    Pair p;
    p.stream.append(noise(500));
    p.hold(300, 100);
    p.identity.inspect = true;
    p.identity.epoch = {7, 0};
    p.identity.candidate = uuid_of(5);
    p.begin();
    HelloMessage message;
    ASSERT_TRUE(p.source->poll(p.now_ns, message));
    AdmittedHello answer = p.admit(message);
    answer.promised = {7, 0};
    answer.promised_to = own ? p.identity.candidate : uuid_of(6);
    HelloMessage reply;
    ASSERT_TRUE(p.replica->on_hello(answer, *p.log, p.session, 0, reply) ||
                p.replica->poll(*p.log, p.session, 0, reply));
    const FrameView view = test::view_of(reply.frame());
    ASSERT_EQ(binlane::uuid_of(body_as<wire::HelloAckBody>(view).promised_to), answer.promised_to);
    ASSERT_TRUE(p.source->on_reply(view, {2, 2}, p.now_ns));
    EXPECT_EQ(p.source->promised_term(), own ? 0U : 7U);
  }
}

// --- and HELLOs that no source of ours would send ---

wire::HelloBody hello_body(wire::Phase phase, std::uint64_t id) {
  wire::HelloBody body;
  body.phase = static_cast<std::uint8_t>(phase);
  body.handshake_id = id;
  body.cluster_id = kCluster;
  body.cut_to = wire::kNoCut;
  return body;
}

struct Target : Pair {
  Target() {
    stream.append(noise(500));
    hold(500, 100);
  }
  std::optional<wire::HelloAckBody> say(const wire::HelloBody& body, std::uint64_t session_id = 0,
                                        Epoch epoch = {1, 5}) {
    HelloMessage message;
    build_hello(message, {wire::Type::hello, 0, session_id, epoch, 0}, body);
    HelloMessage reply;
    if (!replica->on_hello(admit(message), *log, session, 0, reply)) return std::nullopt;
    return body_as<wire::HelloAckBody>(test::view_of(reply.frame()));
  }
};

TEST(ReplicaHandshake, CompareAndStartNeedTheAskThatWentBefore) {
  Target p;
  wire::HelloBody start = hello_body(wire::Phase::start, 3);
  start.start_at = to_wire(Position{1, 100});
  EXPECT_FALSE(p.say(hello_body(wire::Phase::compare, 3)));
  EXPECT_FALSE(p.say(start, 8));
  ASSERT_TRUE(p.say(hello_body(wire::Phase::ask, 2)));
  EXPECT_FALSE(p.say(start, 8));
  EXPECT_FALSE(p.replica->settling());
}

TEST(ReplicaHandshake, CompareBeyondTheLogIsNotAnswered) {
  Target p;
  ASSERT_TRUE(p.say(hello_body(wire::Phase::ask, 3)));
  wire::HelloBody compare = hello_body(wire::Phase::compare, 3);
  compare.compare_to = 401;
  EXPECT_FALSE(p.say(compare));
  compare.compare_from = 300;
  compare.compare_to = 299;
  EXPECT_FALSE(p.say(compare));
  compare.compare_to = UINT64_MAX;
  EXPECT_FALSE(p.say(compare));
  compare.compare_to = 400;
  const auto ack = p.say(compare);
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->digest_count, 100U);
}

TEST(ReplicaHandshake, AStartThatDoesNotFitIsRefused) {
  struct Case {
    Position at;
    std::uint64_t cut_to;
    std::uint64_t session_id;
  };
  const Case cases[] = {
      {{0, 0}, wire::kNoCut, 8}, {{1, 99}, wire::kNoCut, 8},      {{2, 100}, wire::kNoCut, 8},
      {{1, 100}, 401, 8},        {{1, 100}, wire::kNoCut - 1, 8}, {{1, 100}, wire::kNoCut, 0},
  };
  for (const Case& c : cases) {
    Target p;
    const auto answer = p.say(hello_body(wire::Phase::ask, 3));
    ASSERT_TRUE(answer);
    wire::HelloBody start = hello_body(wire::Phase::start, 3);
    start.answer_id = answer->answer_id;
    start.start_at = to_wire(c.at);
    start.cut_to = c.cut_to;
    const auto ack = p.say(start, c.session_id);
    ASSERT_TRUE(ack);
    EXPECT_EQ(ack->status, static_cast<std::uint8_t>(wire::HelloStatus::refused));
    EXPECT_FALSE(p.replica->settling());
    EXPECT_EQ(p.log->end_log(), 500U);
  }
}

TEST(ReplicaHandshake, UnknownPhasesAreNotAnswered) {
  Target p;
  for (int phase = 0; phase < 256; ++phase) {
    const bool known = (phase >= 1 && phase <= 3) || phase == 5;
    if (known) continue;
    EXPECT_FALSE(p.say(hello_body(static_cast<wire::Phase>(phase), 3)));
  }
}

// The control thread handles its consequences; session and log do not change.
TEST(ReplicaHandshake, ALendIsAnsweredAndChangesNothing) {
  Target p;
  p.begin();
  ASSERT_TRUE(p.run());
  const Position end = p.log->end();
  const auto answer = p.say(hello_body(wire::Phase::lend, 3));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->phase, static_cast<std::uint8_t>(wire::Phase::lend));
  EXPECT_EQ(answer->status, static_cast<std::uint8_t>(wire::HelloStatus::ok));
  EXPECT_TRUE(p.session.active());
  EXPECT_EQ(p.log->end(), end);
}

TEST(ReplicaHandshake, AnAskOfAnotherSourceEndsTheSessionThatRuns) {
  Target p;
  p.begin();
  ASSERT_TRUE(p.run());
  ASSERT_TRUE(p.session.active());
  // Not of one that does not hear the answers.
  const auto unheard = p.say(hello_body(wire::Phase::ask, 4711), 0, {1, 6});
  ASSERT_TRUE(unheard);
  EXPECT_NE(std::uint32_t{unheard->flags} & wire::kAckNotBound, 0U);
  EXPECT_TRUE(p.session.active());
  wire::HelloBody heard = hello_body(wire::Phase::ask, 4711);
  heard.answer_id = unheard->answer_id;
  ASSERT_TRUE(p.say(heard, 0, {1, 6}));
  EXPECT_FALSE(p.session.active());
}

// Between the answer to a source's ASK and its START, no sender can interfere that does not hear
// the answers.
TEST(ReplicaHandshake, AForeignAskDoesNotPassOverAHandshakeUnderWay) {
  Target p;
  const auto answer = p.say(hello_body(wire::Phase::ask, 3));
  ASSERT_TRUE(answer);
  const auto foreign = p.say(hello_body(wire::Phase::ask, 4711));
  ASSERT_TRUE(foreign);
  EXPECT_NE(std::uint32_t{foreign->flags} & wire::kAckNotBound, 0U);
  wire::HelloBody start = hello_body(wire::Phase::start, 3);
  start.answer_id = answer->answer_id;
  start.start_at = to_wire(Position{1, 100});
  EXPECT_FALSE(p.say(start, 8));  // it settles
  EXPECT_TRUE(p.replica->settling());
}

// I6 at the replica: a START with a cut is as good as any source's word, but what the source said
// to have synced, and this replica acknowledged, is not cut by a source of the same term; nor by
// one of a later term, where this replica alone completes a quorum, unless it is half a group.
TEST(ReplicaHandshake, a_start_below_what_was_acked_cuts_nothing) {
  struct Case {
    Epoch epoch;
    bool alone;
    std::uint64_t cut_to;
    bool refused;
    std::optional<std::uint64_t> whole = std::nullopt;  // event groups, up to here
  };
  const Case cases[] = {
      {{1, 6}, false, 0, true},       {{1, 6}, false, 299, true},
      {{1, 6}, false, 300, false},    {{1, 6}, false, 400, false},
      {{2, 0}, true, 299, true},      {{2, 0}, true, 300, false},
      {{2, 0}, false, 0, false},      {{2, 0}, true, 299, false, 299},
      {{2, 0}, true, 298, true, 299}, {{1, 6}, true, 299, true, 299},
  };
  for (const Case& c : cases) {
    Target p;
    p.begin();
    ASSERT_TRUE(p.run());
    ASSERT_TRUE(p.session.active());
    p.acks_alone = c.alone;
    if (c.whole) p.whole_groups_log = p.log->released_log() + *c.whole;
    wire::DataBody marks;
    marks.stream_offset = 400;
    marks.file_number = 1;
    marks.file_offset = 500;
    marks.synced = 300;
    std::array<std::byte, sizeof(wire::Header) + sizeof marks> bytes{};
    std::memcpy(bytes.data() + sizeof(wire::Header), static_cast<const void*>(&marks),
                sizeof marks);
    FrameTags tags;
    tags.type = wire::Type::data;
    tags.session_id = p.session.session_id();
    tags.epoch = p.session.epoch();
    tags.packet_number = 1;
    finish_frame(bytes, tags, sizeof marks);
    p.session.on_data(test::view_of(bytes), *p.log, p.now_ns);
    ASSERT_EQ(p.session.synced(), 300U);
    wire::HelloBody ask = hello_body(wire::Phase::ask, 77);
    ask.answer_id = 1;
    const auto answer = p.say(ask, 0, c.epoch);
    ASSERT_TRUE(answer);
    wire::HelloBody start = hello_body(wire::Phase::start, 77);
    start.answer_id = answer->answer_id;
    start.start_at = to_wire(Position{1, 100});
    start.cut_to = c.cut_to;
    const auto ack = p.say(start, 8, c.epoch);
    const bool refused =
        ack && ack->status == static_cast<std::uint8_t>(wire::HelloStatus::refused);
    EXPECT_EQ(refused, c.refused) << &c - cases;
    EXPECT_EQ(p.replica->settling(), !c.refused) << &c - cases;
    EXPECT_EQ(p.log->end_log(), 500U);
  }
}

}  // namespace
}  // namespace binlane
