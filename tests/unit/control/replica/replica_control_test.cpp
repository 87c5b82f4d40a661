// ReplicaControl: which sources a replica admits, what it promises, and where a stream's files are
// stored.
#include "replica_control_case.h"

#include <filesystem>

#include "control/config/peer_config.h"
#include "support/scarcity.h"

namespace binlane {
namespace {

TEST_F(ReplicaControlTest, AnAskBindsNothingAndAStartBinds) {
  const auto told = ask(ask_of({1, 1}, 1));
  ASSERT_TRUE(told) << reason_of(told);
  EXPECT_EQ(side_->store().promise(), Promise{});
  EXPECT_TRUE(side_->store().stream().is_null());
  const auto begun = start(ask_of({1, 1}, 1));
  ASSERT_TRUE(started(begun)) << reason_of(begun);
  EXPECT_EQ(side_->store().promise(), (Promise{1, uuid(1)}));
  EXPECT_EQ(side_->store().stream(), (StreamIdentity{uuid(101), 1, "binlog"}));
  EXPECT_EQ(side_->store().meta().rules, std::vector<std::string>{"ANY 1 (b, c)"});
  // A blank journal that begins in the middle of a stream is a learner at first. [S4]
  EXPECT_EQ(side_->store().meta().learner_until.position, (Position{1, 500}));
}

TEST_F(ReplicaControlTest, AFencePromisesAndEndsOlderTerms) {
  ASSERT_TRUE(ask(ask_of({1, 1}, 1)));
  ASSERT_TRUE(started(start(ask_of({1, 1}, 1))));
  const auto fenced = ask(fence_of({2, 0}, 2));
  ASSERT_TRUE(fenced && !refused(fenced)) << reason_of(fenced);
  EXPECT_EQ(side_->store().promise(), (Promise{2, uuid(2)}));
  EXPECT_EQ(std::uint32_t{fenced->promised.term}, 2U);
  EXPECT_EQ(std::string(field_text(fenced->rules)), "ANY 1 (b, c)\n");
  const auto older = ask(ask_of({1, 1}, 1));
  ASSERT_TRUE(refused(older));
  EXPECT_NE(reason_of(older).find("term 1 is over"), std::string::npos) << reason_of(older);
  EXPECT_EQ(std::uint32_t{older->promised.term}, 2U);
  // A new incarnation of the older term is refused as well.
  EXPECT_TRUE(refused(ask(ask_of({1, 9}, 1))));
}

TEST_F(ReplicaControlTest, LendsItsLogToWhomItHasPromisedItself) {
  ASSERT_TRUE(ask(ask_of({1, 1}, 1)));
  ASSERT_TRUE(started(start(ask_of({1, 1}, 1))));
  Hello lend(wire::Phase::lend, {2, 0}, 2);
  set_field(lend.body.source_name, "c");
  const auto early = ask(lend);
  ASSERT_TRUE(refused(early));
  EXPECT_NE(reason_of(early).find("not promised to you"), std::string::npos) << reason_of(early);
  ASSERT_FALSE(refused(ask(fence_of({2, 0}, 2))));
  const auto alone = ask(lend);
  ASSERT_TRUE(refused(alone));
  EXPECT_NE(reason_of(alone).find("no [source] section"), std::string::npos) << reason_of(alone);
  side_->control().lend_to({"d"});
  const auto stranger = ask(lend);
  ASSERT_TRUE(refused(stranger));
  EXPECT_NE(reason_of(stranger).find("c is none of"), std::string::npos) << reason_of(stranger);
  EXPECT_FALSE(side_->control().transfer().wanted(monotonic_ns()));
  side_->control().lend_to({"c", "d"});
  ASSERT_FALSE(refused(ask(lend)));
  const TransferRequest transfer = side_->control().transfer();
  EXPECT_EQ(transfer.joiner, "c");
  EXPECT_EQ(transfer.promise, (Promise{2, uuid(2)}));
  // The log of another stream than this journal's is not served, whatever is promised.
  EXPECT_TRUE(refused(ask(lend.set_stream(uuid(102), 1))));
}

TEST_F(ReplicaControlTest, OneTermHasOneCandidate) {
  ASSERT_TRUE(ask(fence_of({2, 0}, 2)));
  const auto other = ask(fence_of({2, 0}, 3));
  ASSERT_TRUE(refused(other));
  EXPECT_NE(reason_of(other).find("term 2 is promised to"), std::string::npos);
  EXPECT_EQ(side_->store().promise(), (Promise{2, uuid(2)}));
  EXPECT_FALSE(refused(ask(fence_of({2, 0}, 2))));
  // A later term ends this promise.
  EXPECT_FALSE(refused(ask(fence_of({3, 0}, 3))));
  EXPECT_EQ(side_->store().promise(), (Promise{3, uuid(3)}));
}

TEST_F(ReplicaControlTest, APromiseOutlivesTheDaemon) {
  ASSERT_TRUE(ask(fence_of({5, 0}, 2)));
  close();
  open();
  EXPECT_EQ(side_->store().promise(), (Promise{5, uuid(2)}));
  EXPECT_TRUE(refused(ask(ask_of({4, 1}, 1))));
}

TEST_F(ReplicaControlTest, AnotherClusterOrNameIsNotAnswered) {
  Hello cluster = ask_of({1, 1}, 1);
  cluster.body.cluster_id = cluster_id_of("another");
  Hello name = ask_of({1, 1}, 1);
  set_field(name.body.replica_name, "c");
  for (Hello* const hello : {&cluster, &name}) {
    const std::uint64_t before = view().hellos_foreign;
    HelloMessage message;
    FrameTags tags;
    tags.type = wire::Type::hello;
    tags.epoch = hello->epoch;
    build_hello(message, tags, hello->body);
    const MutableBytes buffer = source_.tx_buffer();
    std::copy(message.bytes.begin(), message.bytes.end(), buffer.begin());
    source_.tx_commit(port_->udp()->local(), message.length);
    source_.flush();
    wait_for([&] { return view().hellos_foreign > before; }, "the foreign HELLO to be counted");
  }
  EXPECT_EQ(view().hellos, 0U);
  EXPECT_EQ(side_->store().promise(), Promise{});
}

// A text that fills its field to the last byte is one byte longer than what may be on record.
TEST_F(ReplicaControlTest, ATextWithoutAnEndIsRefused) {
  ASSERT_TRUE(ask(ask_of({1, 1}, 1)));
  const auto refuses = [&](auto fill) {
    Hello hello = ask_of({1, 1}, 1);
    fill(hello.body);
    const auto answer = ask(hello);
    EXPECT_TRUE(refused(answer));
    EXPECT_NE(reason_of(answer).find("has no end"), std::string::npos) << reason_of(answer);
  };
  refuses([](wire::HelloBody& body) { std::memset(body.rule, 'r', sizeof body.rule); });
  refuses([](wire::HelloBody& body) { std::memset(body.basename, 'b', sizeof body.basename); });
  refuses(
      [](wire::HelloBody& body) { std::memset(body.source_name, 's', sizeof body.source_name); });
  EXPECT_FALSE(refused(ask(ask_of({1, 1}, 1))));
}

TEST_F(ReplicaControlTest, AForeignStreamIsRefusedAndLeavesNoPromise) {
  ASSERT_TRUE(ask(ask_of({1, 1}, 1)));
  ASSERT_TRUE(started(start(ask_of({1, 1}, 1))));
  Hello other = ask_of({2, 1}, 2);
  other.set_stream(uuid(102), 2);
  const auto answer = ask(other);
  ASSERT_TRUE(refused(answer));
  EXPECT_NE(reason_of(answer).find("holds the stream"), std::string::npos) << reason_of(answer);
  EXPECT_EQ(side_->store().promise(), (Promise{1, uuid(1)}));
}

// A stranger gets a refusal too, so it must not contain what the next HELLO would need.
TEST_F(ReplicaControlTest, ARefusalTellsNothingOfWhatIsHere) {
  ASSERT_TRUE(ask(ask_of({1, 1}, 1)));
  ASSERT_TRUE(started(start(ask_of({1, 1}, 1))));
  Hello stream = ask_of({1, 1}, 1);
  stream.set_stream(uuid(102), 1);
  for (const Hello& hello : {stream, ask_of({1, 1}, 2)}) {
    const auto answer = ask(hello);
    ASSERT_TRUE(refused(answer));
    const std::string reason = reason_of(answer);
    for (const Uuid& secret : {uuid(101), uuid(1), side_->store().meta().journal}) {
      EXPECT_EQ(reason.find(to_string(secret)), std::string::npos) << reason;
    }
    EXPECT_EQ(reason.find(folder_.path()), std::string::npos) << reason;
    const wire::HelloAckBody nothing;
    EXPECT_TRUE(std::equal(answer->origin, answer->origin + 16, nothing.origin));
    EXPECT_TRUE(std::equal(answer->promised_to, answer->promised_to + 16, nothing.promised_to));
    EXPECT_TRUE(std::equal(answer->journal_id, answer->journal_id + 16, nothing.journal_id));
    EXPECT_EQ(std::string(field_text(answer->rules)), "");
    EXPECT_EQ(std::uint32_t{answer->stream_term}, 0U);
    EXPECT_EQ(std::uint64_t{answer->log_length}, 0U);
    EXPECT_TRUE(from_wire(answer->released).is_null());
    // A source whose term is over has to learn that.
    EXPECT_EQ(std::uint32_t{answer->promised.term}, 1U);
  }
  // The operators of this host are told everything.
  EXPECT_NE(view().refusal.find(to_string(uuid(1))), std::string::npos) << view().refusal;
}

// The list of sources may change while the daemon runs. [S19]
TEST_F(ReplicaControlTest, AnUnlistedSourceIsNotHeard) {
  close();
  config_.replica->sources = {"10.0.0.9"};
  open();
  const auto unheard = [&](std::uint64_t more) {
    const std::uint64_t before = view().marks.unknown_peers;
    for (std::uint64_t i = 0; i < more; ++i) send_late_start(ask_of({1, 1}, 1));
    wait_for([&] { return view().marks.unknown_peers >= before + more; },
             "the strangers to be counted");
  };
  unheard(5);
  EXPECT_EQ(view().hellos, 0U);
  EXPECT_EQ(view().hellos_foreign, 0U);
  EXPECT_EQ(side_->store().promise(), Promise{});
  EXPECT_EQ(view().marks.unknown_peer, source_.local());
  EXPECT_EQ(port_->counters().tx_packets, 0U);

  config_.replica->sources = {"10.0.0.9", "127.0.0.1:" + std::to_string(source_.local().udp_port)};
  ASSERT_TRUE(side_->hear(replica_sources(config_)));
  EXPECT_TRUE(ask(ask_of({1, 1}, 1)));
  config_.replica->sources = {"127.0.0.1:" + std::to_string(source_.local().udp_port + 1)};
  ASSERT_TRUE(side_->hear(replica_sources(config_)));
  // Repeats of the last HELLO may still be on their way; after those nothing is heard any more.
  unheard(1);
  unheard(1);
  const std::uint64_t hellos = view().hellos;
  unheard(20);
  EXPECT_EQ(view().hellos, hellos);
}

TEST_F(ReplicaControlTest, AFloodOfRefusalsIsABoundedLog) {
  ::testing::internal::CaptureStderr();
  const std::uint64_t begun_ns = monotonic_ns();
  constexpr int kFlood = 10'000;
  // The log counts per second, and its second may have begun in an earlier case, so the flood lasts
  // until the next one.
  constexpr std::uint64_t kLastsNs = 2 * kNanosPerSecond;
  for (int i = 0; i < kFlood || monotonic_ns() - begun_ns < kLastsNs; ++i) {
    Hello hello(wire::Phase::refuse);
    set_field(hello.body.reason, "no, for the reason number " + std::to_string(i));
    send_once(hello);
    if (i % 8 == 0) ::sched_yield();
  }
  wait_for([&] { return !view().refusal.empty(); }, "a refusal to be shown");
  const std::string text = ::testing::internal::GetCapturedStderr();
  const std::uint64_t seconds = (monotonic_ns() - begun_ns) / kNanosPerSecond + 2;
  std::size_t lines = 0;
  for (std::size_t at = text.find("session_refused"); at != std::string::npos;
       at = text.find("session_refused", at + 1))
    ++lines;
  EXPECT_GE(lines, 1U);
  EXPECT_LE(lines, 2 * seconds) << seconds << " s: a line, and what it left out";
}

// A replica switches to the following stream only if it holds all of the sealed one, as a session
// of the sealing term left it. [S2]
TEST_F(ReplicaControlTest, TheStreamThatFollowsWantsAllOfTheOneBefore) {
  ASSERT_TRUE(ask(ask_of({1, 1}, 1)));
  ASSERT_TRUE(started(start(ask_of({1, 1}, 1))));
  Hello next = ask_of({2, 1}, 2);
  next.set_stream(uuid(102), 2).set_sealed(uuid(101), 1, {1, 500});
  const auto answer = ask(next);
  ASSERT_TRUE(refused(answer));
  EXPECT_NE(reason_of(answer).find("re-seed the replica"), std::string::npos) << reason_of(answer);
  EXPECT_EQ(side_->store().stream().origin, uuid(101));
}

TEST_F(ReplicaControlTest, ASourceRefusesAllButHearsWhoDeposedIt) {
  side_->control().refuse_all("this host is a source itself");
  EXPECT_TRUE(refused(ask(fence_of({2, 0}, 2))));
  EXPECT_EQ(side_->control().deposed_by(), 2U);
  // A host that only fences, or seals the old stream, is not the source yet.
  EXPECT_FALSE(side_->control().successor());
  Hello sealing = ask_of({2, 0}, 2);
  sealing.set_sealed(uuid(100), 1, {1, 100});
  EXPECT_TRUE(refused(ask(sealing)));
  EXPECT_FALSE(side_->control().successor());
  Hello active = ask_of({2, 1}, 2);
  active.set_stream(uuid(102), 2).set_sealed(uuid(101), 1, {3, 700});
  EXPECT_TRUE(refused(ask(active)));
  const auto successor = side_->control().successor();
  ASSERT_TRUE(successor);
  EXPECT_EQ(successor->candidate, (Promise{2, uuid(2)}));
  EXPECT_EQ(successor->sealed_at, (Position{3, 700}));
  EXPECT_EQ(side_->store().promise(), Promise{});
}

// Found by the chaos test: the old source rejoined, and the new source died before the rejoined log
// was complete. The journal is not blank then: it counts as one that holds an older stream.
// Otherwise every later promotion would be refused.
TEST_F(ReplicaControlTest, AJournalBetweenTwoStreamsTellsOfTheOneBefore) {
  ASSERT_TRUE(ask(ask_of({1, 1}, 1)));
  ASSERT_TRUE(started(start(ask_of({1, 1}, 1))));
  forget();
  Hello next = fence_of({3, 0}, 3);
  next.set_stream(uuid(102), 2);
  const auto told = ask(next);
  ASSERT_TRUE(told && !refused(told)) << reason_of(told);
  const Uuid nobody;
  EXPECT_FALSE(std::equal(nobody.bytes.begin(), nobody.bytes.end(), told->origin));
  EXPECT_EQ(std::uint32_t{told->stream_term}, 1U);
  EXPECT_EQ(std::uint16_t{told->state}, 0U);
}

// The same for a source whose journal never held anything.
TEST_F(ReplicaControlTest, ABlankJournalOfASourceThatRejoinedCounts) {
  ASSERT_EQ(side_->store().forget_up_to(4), 0);
  Hello next = fence_of({6, 0}, 3);
  next.set_stream(uuid(102), 5);
  const auto told = ask(next);
  ASSERT_TRUE(told && !refused(told)) << reason_of(told);
  EXPECT_EQ(std::uint32_t{told->stream_term}, 4U);
  Hello begun = ask_of({6, 1}, 3);
  begun.set_stream(uuid(102), 5);
  ASSERT_TRUE(ask(begun));
  ASSERT_TRUE(started(start(begun)));
  EXPECT_TRUE(side_->store().meta().learner_until.is_null());
}

// A standby that was rebuilt gets the stream that it held before. What it had acknowledged then is
// gone, so it is a learner.
TEST_F(ReplicaControlTest, AJournalThatForgotTheSameStreamLearns) {
  ASSERT_TRUE(ask(ask_of({1, 1}, 1)));
  ASSERT_TRUE(started(start(ask_of({1, 1}, 1))));
  forget();
  const auto told = ask(ask_of({1, 2}, 1));
  ASSERT_TRUE(told && !refused(told)) << reason_of(told);
  const Uuid nobody;
  EXPECT_TRUE(std::equal(nobody.bytes.begin(), nobody.bytes.end(), told->origin));
  ASSERT_TRUE(started(start(ask_of({1, 2}, 1))));
  EXPECT_EQ(side_->store().meta().learner_until.position, (Position{1, 500}));
}

// A START that the network delayed begins no session with a journal that has given up its stream
// meanwhile.
TEST_F(ReplicaControlTest, ALateStartBindsNothing) {
  ASSERT_TRUE(ask(ask_of({1, 1}, 1)));
  const Hello begun = ask_of({1, 1}, 1);
  ASSERT_TRUE(started(start(begun)));
  ASSERT_TRUE(started(start(begun)));  // STARTED was lost
  const std::uint64_t hellos = view().hellos;
  forget();
  for (int i = 0; i < 3; ++i) send_late_start(begun);
  // Once a later ASK is answered, the delayed STARTs have been processed.
  ASSERT_TRUE(ask(ask_of({1, 1}, 1)));
  EXPECT_GT(view().hellos, hellos);
  EXPECT_TRUE(view().stream.is_null());
}

// A source that lost its power ends no session, but a host that looks at its replica learns that
// the source is silent.
TEST_F(ReplicaControlTest, ASourceThatSaysNothingIsAway) {
  ASSERT_TRUE(ask(ask_of({1, 1}, 1)));
  ASSERT_TRUE(started(start(ask_of({1, 1}, 1))));
  wait_for([&] { return view().marks.connected; }, "the session");
  EXPECT_FALSE(view().away);
  wait_for([&] { return view().away; }, "the silence to be noticed");
  EXPECT_GT(view().silent_ns, kPeerTimeoutNs);
  // The session may still continue.
  EXPECT_TRUE(view().marks.connected);
  ASSERT_TRUE(ask(ask_of({1, 2}, 1)));
  ASSERT_TRUE(started(start(ask_of({1, 2}, 1))));
  wait_for([&] { return view().marks.connected && !view().away; }, "the source to be back");
}

// Found by the chaos test: after a rejoin the journal belongs to no stream for some time. The
// stream that it belongs to next has a folder of its own, which a restart of binlaned finds again.
TEST_F(ReplicaControlTest, AStreamAdoptedBehindARejoinHasItsOwnFolder) {
  ASSERT_TRUE(ask(ask_of({1, 1}, 1)));
  ASSERT_TRUE(started(start(ask_of({1, 1}, 1))));
  EXPECT_EQ(side_->parts()->folder, config_.replica->archive);
  forget();
  EXPECT_TRUE(view().stream.is_null());
  Hello next = ask_of({2, 1}, 2);
  next.set_stream(uuid(102), 2);
  ASSERT_TRUE(ask(next));
  ASSERT_TRUE(started(start(next)));
  // This journal never held a byte of the stream, so it is no learner.
  EXPECT_TRUE(side_->store().meta().learner_until.is_null());
  const std::string folder = config_.replica->archive + "/" + to_string(uuid(102)) + ".2";
  EXPECT_EQ(side_->parts()->folder, folder);
  close();
  open();
  EXPECT_EQ(side_->parts()->folder, folder);
}

// A stream begins while no descriptor is free, so its folder cannot be created and its feed cannot
// listen. The daemon goes on, the status says what is wrong, and both begin once they can.
TEST_F(ReplicaControlTest, AStreamThatCannotBeBegunIsBegunLater) {
  ASSERT_TRUE(ask(ask_of({1, 1}, 1)));
  ASSERT_TRUE(started(start(ask_of({1, 1}, 1))));
  const auto archive = [this] { return side_->parts()->archiver->status(); };
  const auto feed = [this] { return side_->parts()->feed->status(); };
  {
    const NoDescriptors none;
    forget();
    Hello next = ask_of({2, 1}, 2).set_stream(uuid(102), 2);
    ASSERT_TRUE(ask(next));
    ASSERT_TRUE(started(start(next)));
    EXPECT_NE(side_->parts()->folder, folder_.file("archive"));
    EXPECT_NE(archive().failure.find("Too many open files"), std::string::npos)
        << archive().failure;
    EXPECT_EQ(feed().listening, "");
  }
  wait_for([&] { return archive().failure.empty() && !feed().listening.empty(); },
           "archive and feed");
  EXPECT_TRUE(std::filesystem::is_directory(side_->parts()->folder));
}

TEST_F(ReplicaControlTest, WithoutThreadsAStreamIsBegunLater) {
  ASSERT_TRUE(ask(ask_of({1, 1}, 1)));
  ASSERT_TRUE(started(start(ask_of({1, 1}, 1))));
  const std::string before = side_->parts()->feed->status().listening;
  ASSERT_NE(before, "");
  {
    const NoThreads none;
    forget();
    EXPECT_NE(side_->parts()->archiver->status().failure.find("no thread"), std::string::npos);
  }
  wait_for([&] { return !side_->parts()->feed->status().listening.empty(); }, "the feed");
  EXPECT_EQ(side_->parts()->archiver->status().failure, "");
}

}  // namespace
}  // namespace binlane
