// Tests of where an incarnation of a source begins, and where its dump connection may register
// (safety rules S3, S5, S6, S7, S16).
#include "control/stream/incarnation_start.h"

#include <gtest/gtest.h>

#include <vector>

#include "control/fallback/fallback_turn.h"
#include "control/stream/registration_gate.h"
#include "control/stream/synced_tracker.h"
#include "support/binlog_writer.h"
#include "support/fake_binlog_files.h"
#include "support/numbered_binlog.h"
#include "support/temporary_directory.h"

namespace binlane {
namespace {

using test::BinlogWriter;
using test::FakeBinlogFiles;
using test::numbered_binlog;

class StartTest : public ::testing::Test {
 protected:
  StartTest() {
    files.append(3, numbered_binlog(100, 5, 0, 4));
    files.append(4, numbered_binlog(105, 5));
  }
  std::optional<IncarnationStart> find(const SourceState& before, const NextStream& next = {}) {
    files.synced.clear();
    StartFinder finder(files, found, "state");
    auto begin = finder.find(before, next);
    refusal = finder.refusal();
    return begin;
  }
  Position end(std::uint32_t file) { return {file, files.data(file).size()}; }

  FakeBinlogFiles files;
  FoundBinlogs found{3, 4, "binlog", "run 1", true, 4, "RESET MASTER"};
  std::string refusal;
};

TEST_F(StartTest, AFirstIncarnationSyncsAllThereIsAndOwesNothing) {
  const auto begin = find({});
  ASSERT_TRUE(begin) << refusal;
  EXPECT_EQ(files.synced, (std::vector<std::uint32_t>{3, 4}));
  EXPECT_FALSE(begin->same_stream);
  EXPECT_EQ(begin->state.epoch, (Epoch{1, 1}));
  EXPECT_EQ(begin->state.stream_start, (Position{3, 0}));
  EXPECT_EQ(begin->state.synced, end(4));
  EXPECT_EQ(begin->state.run_start, (Position{4, kBinlogMagicSize}));
  EXPECT_TRUE(begin->safe.is_null());
}

TEST_F(StartTest, TheSameStreamGoesOnAndKeepsWhatIsSafe) {
  SourceState state = find({})->state;
  state.quorum = {4, 200};
  const auto begin = find(state);
  ASSERT_TRUE(begin) << refusal;
  EXPECT_TRUE(begin->same_stream);
  EXPECT_TRUE(begin->proven);
  EXPECT_EQ(files.synced, (std::vector<std::uint32_t>{4}));
  EXPECT_EQ(begin->state.origin, state.origin);
  EXPECT_EQ(begin->state.epoch, (Epoch{1, 2}));
  EXPECT_EQ(begin->safe, (Position{4, 200}));
}

// A restart of the server counts as recorded only when control says so, however many daemons die
// before it does.
TEST_F(StartTest, ARestartIsUnaccountedUntilItIsRecorded) {
  SourceState state = find({})->state;
  EXPECT_FALSE(state.unaccounted);
  state = promised_state(state);
  EXPECT_FALSE(find(state)->state.unaccounted);
  found.same_run = false;
  state = find(state)->state;
  EXPECT_TRUE(state.unaccounted);
  found.same_run = true;
  const auto again = find(state);
  EXPECT_TRUE(again->same_run);
  EXPECT_TRUE(again->state.unaccounted);
}

// Between two incarnations nobody looks at the server; and what the first one told binds the next.
TEST_F(StartTest, AnIncarnationsEndGoesOnRecord) {
  SourceState state = promised_state(find({})->state);
  state.quorum = {4, 200};
  SourceMarks marks;
  marks.epoch = state.epoch;
  marks.quorum_group_at = {4, 300};
  const Fallback blind({}, {});  // it has not looked at the server
  const SourceState last = ended_state(state, {4, 400}, marks, blind);
  EXPECT_TRUE(last.unaccounted);
  EXPECT_EQ(last.quorum, (Position{4, 300}));
  EXPECT_EQ(last.synced, std::max(state.synced, (Position{4, 400})));
  EXPECT_EQ(last.anchor, state.anchor);
  EXPECT_TRUE(find(last)->state.unaccounted);
  marks.epoch.incarnation += 1;  // of another one
  EXPECT_EQ(ended_state(state, {4, 400}, marks, blind).quorum, state.quorum);
}

// Until its commits have waited, nothing that the server was told can be of this stream. That its
// quorum is unknown (or no longer known) says nothing.
TEST_F(StartTest, AStreamIsFreshUntilItsCommitsWait) {
  SourceState state = find({})->state;
  state.quorum = {4, 200};
  EXPECT_TRUE(find(state)->fresh);
  state = promised_state(state);
  EXPECT_FALSE(find(state)->fresh);
  state.quorum = {};
  EXPECT_FALSE(find(state)->fresh);
}

TEST_F(StartTest, AGroupThatIsNotWholeIsNotAnnounced) {
  const Position whole = end(4);
  const test::Bytes more = numbered_binlog(105, 6);
  const auto half = more.begin() + static_cast<std::ptrdiff_t>(whole.offset);
  files.append(4, {half, half + 42});  // its GTID event
  const auto begin = find({});
  ASSERT_TRUE(begin) << refusal;
  EXPECT_EQ(begin->state.synced, whole);
}

TEST_F(StartTest, ASyncThatFailedIsARefusal) {
  files.sync_error = EIO;
  EXPECT_FALSE(find({}));
  EXPECT_NE(refusal.find("cannot sync binlog 3"), std::string::npos) << refusal;
}

TEST_F(StartTest, AServerThatLostWhatWasSyncedIsRefused) {
  const SourceState state = find({})->state;
  files.truncate(4, files.data(4).size() - 1);
  EXPECT_FALSE(find(state));
  files.remove(4);
  found.last = 3;
  EXPECT_FALSE(find(state));
  EXPECT_NE(refusal.find("the newest binlog is number 3"), std::string::npos) << refusal;
}

TEST_F(StartTest, OtherBytesUnderTheSameNamesAreRefused) {
  const SourceState state = find({})->state;
  files.replace(4, numbered_binlog(7, 50));
  EXPECT_FALSE(find(state));
  EXPECT_NE(refusal.find("do not hold what was synced"), std::string::npos) << refusal;
}

// S24: whatever the next file begins with, what a running server wrote is refused where it is torn.
// Mutants: scan_trusts_continuity, scan_takes_damage_for_crash.
TEST_F(StartTest, ABinlogThatIsTornInItsMiddleIsRefusedWithThePlace) {
  const std::uint64_t whole = numbered_binlog(100, 5).size();
  files.truncate(3, whole - 10);
  EXPECT_FALSE(find({}));
  EXPECT_NE(refusal.find("binlog 3 is damaged at 3:"), std::string::npos) << refusal;
  EXPECT_NE(refusal.find("the same run of the server went on"), std::string::npos) << refusal;
  EXPECT_NE(refusal.find("RESET MASTER"), std::string::npos) << refusal;
  // As a crash leaves it, the same is accepted.
  files.replace(4, numbered_binlog(104, 5, 1'700'000'000));
  EXPECT_TRUE(find({})) << refusal;
}

TEST_F(StartTest, AFileThatDoesNotGoOnWhereTheOneBeforeEndedIsRefused) {
  files.replace(4, numbered_binlog(106, 5));
  EXPECT_FALSE(find({}));
  EXPECT_NE(refusal.find("the file ends with 0-7-104, but the next file begins after 0-7-105"),
            std::string::npos)
      << refusal;
  // Only what an earlier incarnation has not proven is read again.
  files.replace(4, numbered_binlog(105, 5, 0, 5));
  files.append(5, numbered_binlog(110, 1));
  found.last = 5;
  const SourceState state = find({})->state;
  EXPECT_EQ(state.synced.file, 5U);
  files.replace(3, numbered_binlog(90, 5, 0, 4));
  EXPECT_TRUE(find(state)) << refusal;
}

TEST_F(StartTest, AMissingNewestFileIsNamedWithItsRemedy) {
  files.remove(4);
  EXPECT_FALSE(find({}));
  EXPECT_NE(refusal.find("FLUSH BINARY LOGS"), std::string::npos) << refusal;
}

// Removed with rm: the remaining files are still the stream, but nothing proves that it continues.
TEST_F(StartTest, RemovedFilesLeaveAnUnprovenStream) {
  const SourceState state = find({})->state;
  files.replace(4, numbered_binlog(105, 5, 0, 5));
  files.append(5, numbered_binlog(110, 1));
  found.last = 5;
  files.remove(3);
  found.first = 4;
  const auto begin = find(state);
  ASSERT_TRUE(begin) << refusal;
  EXPECT_TRUE(begin->proven);
  EXPECT_EQ(begin->first, 4U);
  files.remove(4);
  found.first = 5;
  EXPECT_FALSE(find(state)->proven);
}

TEST_F(StartTest, WithoutTheProofThePersistedQuorumIsForgotten) {
  SourceState state = find({})->state;
  state.quorum = end(4);
  files.append(5, numbered_binlog(110, 1));
  files.remove(4);
  found = {5, 5, "binlog", "run 1", true, 5, "RESET MASTER"};
  const auto begin = find(state);
  ASSERT_TRUE(begin) << refusal;
  EXPECT_FALSE(begin->proven);
  EXPECT_TRUE(begin->state.quorum.is_null());
}

TEST_F(StartTest, ANewStreamBeginsWhereItIsSaidTo) {
  const SourceState state = find({})->state;
  const auto begin = find(state, {true, 4});
  ASSERT_TRUE(begin) << refusal;
  EXPECT_FALSE(begin->same_stream);
  EXPECT_NE(begin->state.origin, state.origin);
  EXPECT_EQ(begin->state.stream_start, (Position{4, 0}));
  EXPECT_EQ(begin->state.epoch, (Epoch{1, 2}));
  found.basename = "other";
  const auto renamed = find(state);
  ASSERT_TRUE(renamed) << refusal;
  EXPECT_FALSE(renamed->same_stream);
}

// --- registering --------------------------------------------------------------------------------

struct Life {
  int number = 0;
  bool is_same_as(const Life& other) const { return number == other.number; }
};

TEST(RegistrationGate, FollowsTheQuorumAndNeverGoesBack) {
  RegistrationGate<Life> gate;
  EXPECT_FALSE(gate.ask({1}));
  gate.open({{3, 100}, 7}, {1}, false);
  EXPECT_FALSE(gate.raise({3, 200}, 3));
  EXPECT_FALSE(gate.raise({3, 150}, 3));
  const auto registration = gate.ask({1});
  ASSERT_TRUE(registration);
  EXPECT_EQ(registration->start, (Position{3, 200}));
  EXPECT_EQ(registration->incarnation, 7U);
}

TEST(RegistrationGate, IsHeldUntilTheQuorumIsInAFileThatIsThere) {
  RegistrationGate<Life> gate;
  gate.open({{3, 100}, 7}, {1}, true);
  EXPECT_FALSE(gate.raise({4, 10}, 5));
  EXPECT_FALSE(gate.ask({1}));
  EXPECT_TRUE(gate.raise({5, 10}, 5));
  EXPECT_TRUE(gate.ask({1}));
  EXPECT_FALSE(gate.raise({6, 10}, 5)) << "it was not held any more";
}

TEST(RegistrationGate, AnotherRunOfTheServerIsANewIncarnationFirst) {
  RegistrationGate<Life> gate;
  gate.open({{3, 100}, 7}, {1}, false);
  EXPECT_FALSE(gate.ask({2}));
  EXPECT_TRUE(gate.take_server_changed());
  EXPECT_FALSE(gate.take_server_changed());
  EXPECT_FALSE(gate.raise({3, 200}, 3));
  EXPECT_FALSE(gate.ask({1})) << "nor does it come back by itself";
}

// --- synced -------------------------------------------------------------------------------------

TEST(SyncedTracker, SyncsByItselfOnlyWhereNobodyElseTells) {
  SyncedTracker teller;
  teller.restart({3, 100});
  SourceMarks marks;
  EXPECT_FALSE(teller.wants_sync(marks, {}, 0)) << "nothing was read yet";
  marks.whole_at = {3, 300};
  EXPECT_FALSE(teller.wants_sync(marks, {}, kOwnSyncNs)) << "no poll has said sync_binlog = 1";
  teller.confirmer().on_poll_begin({});
  teller.confirmer().on_poll_end(1);
  EXPECT_TRUE(teller.wants_sync(marks, {}, 2 * kOwnSyncNs));
  teller.synced_ourselves(marks);
  EXPECT_EQ(teller.synced(), marks.whole_at);
  marks.whole_at = {3, 400};
  EXPECT_FALSE(teller.wants_sync(marks, {}, 2 * kOwnSyncNs + 1)) << "at its pace";
  EXPECT_FALSE(teller.wants_sync(marks, {3, 350}, 4 * kOwnSyncNs)) << "the dump connection tells";
  EXPECT_TRUE(teller.wants_sync(marks, {}, 4 * kOwnSyncNs));
}

TEST(SyncedTracker, TellsUntilItShows) {
  SyncedTracker teller;
  auto queues = std::make_unique<SourceLaneQueues>();
  teller.restart({3, 100});
  SourceMarks marks;
  SourceCommand command;
  teller.tell(marks, *queues);
  ASSERT_TRUE(queues->commands.try_pop(command));
  ASSERT_TRUE(std::holds_alternative<SetSynced>(command));
  EXPECT_EQ(std::get<SetSynced>(command).synced, (Position{3, 100}));
  teller.tell(marks, *queues);
  EXPECT_TRUE(queues->commands.try_pop(command)) << "the lane clamped it";
  marks.synced_at = {3, 100};
  teller.tell(marks, *queues);
  EXPECT_FALSE(queues->commands.try_pop(command));
}

// --- an incarnation that ended while its server went on
class EndTest : public ::testing::Test {
 protected:
  EndTest() {
    state.origin = Uuid::random();
    state.stream_start = {1, 0};
    state.epoch = {1, 3};
    state.looked = {4, 1'000};
    marks.epoch = state.epoch;
    marks.quorum_group_at = {6, 5'000};
    ended.exposed_from = {4, 2'000};
    ended.counters = ServerCounters{50, 2, 1};
  }
  // From where on the next incarnation books what the server may have released.
  std::optional<Position> booked(bool same_run = true) {
    next = ended_state(state, {6, 6'000}, marks, Fallback({}, ended));
    Ledger ledger(folder.file("ledger"));
    start = fallback_start(next, ledger, false, same_run);
    account_for_end(start, proof, next);
    if (!start.unrecorded && !start.server_restarted) return std::nullopt;
    return start.exposed_from;
  }

  TemporaryDirectory folder;
  SourceState state, next;
  SourceMarks marks;
  FallbackStart ended;  // what the ended incarnation's fallback knew
  FallbackStart start;
  RestartProof proof{false, ServerCounters{70, 2, 1}};
};

// All of it was released by ACKs, and only what follows may have been released without one.
TEST_F(EndTest, WhatAQuorumHadIsNoExposureOfTheSameRun) {
  EXPECT_EQ(booked(), (Position{6, 5'000}));
  EXPECT_EQ(start.counters, proof.counters);
  EXPECT_TRUE(next.unaccounted);
}

TEST_F(EndTest, WhatTheServerReleasedByItselfMeanwhileMayBeAnywhereAfterTheLastLook) {
  for (const ServerCounters& moved :
       {ServerCounters{70, 3, 1}, ServerCounters{70, 2, 2}, ServerCounters{10, 1, 1}}) {
    proof.counters = moved;
    EXPECT_EQ(booked(), ended.exposed_from);
  }
  proof.counters.reset();
  EXPECT_EQ(booked(), ended.exposed_from);
}

TEST_F(EndTest, AnotherRunOfTheServerProvesNothing) {
  EXPECT_EQ(booked(false), ended.exposed_from);
}

TEST_F(EndTest, WhatTheLedgerLacksBeganEarlier) {
  ended.unrecorded = true;
  EXPECT_EQ(booked(), state.looked);
  ended = {.exposed_from = {4, 2'000}};  // it never saw the server's counters
  EXPECT_EQ(booked(), state.looked);
}

// The next daemon may meet another run, and the one after it the same again.
TEST_F(StartTest, OnlyTheSameRunHasEndedInOrder) {
  SourceState state = promised_state(find({})->state);
  state.unaccounted = state.ended_in_order = true;
  EXPECT_TRUE(find(state)->state.ended_in_order);
  found.same_run = false;
  EXPECT_FALSE(find(state)->state.ended_in_order);
  found.same_run = true;
  state.unaccounted = false;
  EXPECT_FALSE(find(state)->state.ended_in_order);
}

// --- a restart of the server that released nothing
class RestartTest : public ::testing::Test {
 protected:
  RestartTest() {
    files.append(3, numbered_binlog(100, 5, 0, 4));
    files.append(4, numbered_binlog(105, 5));
    state.run_start = {4, kBinlogMagicSize};
    start.server_restarted = true;
    // All of the run before but its Rotate is accounted for.
    start.exposed_from = {3, numbered_binlog(100, 5).size()};
    proof = {true, ServerCounters{}};
  }
  // Whether nothing of the restart is left to be recorded.
  bool proven() {
    FallbackStart done = start;
    account_for_restart(done, proof, state, files);
    if (!done.server_restarted) {
      EXPECT_EQ(done.counters, proof.counters);
    }
    return !done.server_restarted;
  }

  FakeBinlogFiles files;
  SourceState state;
  FallbackStart start;
  RestartProof proof;
};

TEST_F(RestartTest, NothingWrittenAndNothingMovedIsProven) {
  EXPECT_TRUE(proven());
}

TEST_F(RestartTest, WhatTheRunBeforeWroteBehindTheLastLookIsNot) {
  start.exposed_from = {3, numbered_binlog(100, 4).size()};
  EXPECT_FALSE(proven());
}

TEST_F(RestartTest, AServerThatWasNotOnFromItsStartIsNot) {
  proof.on_since_start = false;
  EXPECT_FALSE(proven());
}

TEST_F(RestartTest, CountersThatMovedOrAreUnknownAreNot) {
  for (const ServerCounters& moved :
       {ServerCounters{1, 0, 0}, ServerCounters{0, 1, 0}, ServerCounters{0, 0, 1}}) {
    proof.counters = moved;
    EXPECT_FALSE(proven());
  }
  proof.counters.reset();
  EXPECT_FALSE(proven());
}

TEST_F(RestartTest, WhatCannotBeCountedIsNot) {
  files.remove(3);
  EXPECT_FALSE(proven());
}

TEST_F(RestartTest, WhatThisRunHasWrittenIsNoPartOfIt) {
  // Already looked at in this run: what is exposed begins after the run's beginning.
  start.exposed_from = {4, numbered_binlog(105, 2).size()};
  EXPECT_FALSE(proven());
  // And without a restart nothing is touched.
  start.server_restarted = false;
  FallbackStart done = start;
  account_for_restart(done, proof, state, files);
  EXPECT_FALSE(done.counters.has_value());
}

}  // namespace
}  // namespace binlane
