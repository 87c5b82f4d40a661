// Tests of how replicas come to know what was released without a quorum (safety rules S8, S10).
#include <gtest/gtest.h>

#include <cerrno>

#include "base/error.h"
#include "control/exposure/exposure_desk.h"
#include "control/exposure/exposure_record.h"
#include "support/temporary_directory.h"

namespace binlane {
namespace {

constexpr Epoch kEpoch{2, 3};
constexpr Endpoint kPeer{7, 7100};
constexpr std::uint64_t kSession = 4711;

Exposure open_from(std::uint64_t id, Position from) {
  Exposure exposure;
  exposure.id = id;
  exposure.epoch = kEpoch;
  exposure.from = from;
  return exposure;
}

Exposure closed(std::uint64_t id, Position from, Position to, std::uint64_t groups = 1) {
  Exposure exposure = open_from(id, from);
  exposure.to = to;
  exposure.groups = groups;
  return exposure;
}

// --- lists --------------------------------------------------------------------------------------

TEST(Exposures, TravelAsTheyAre) {
  ExposureList list;
  list.origin = Uuid::random();
  list.term = 2;
  list.number = 5;
  list.total = 99;
  for (std::uint64_t i = 0; i < wire::kExposedEntries; ++i)
    list.exposures.push_back(i % 2 == 0 ? open_from(i, {1, i}) : closed(i, {1, i}, {2, i}, i));
  const auto decoded = decode_exposures(encode_exposures(list));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->origin, list.origin);
  EXPECT_EQ(decoded->term, 2U);
  EXPECT_EQ(decoded->number, 5U);
  EXPECT_EQ(decoded->total, 99U);
  EXPECT_EQ(decoded->exposures, list.exposures);
}

TEST(Exposures, NonsenseIsRefused) {
  ExposureList list;
  list.exposures = {closed(1, {1, 10}, {1, 20})};
  wire::ExposedBody body = encode_exposures(list);
  body.count = wire::kExposedEntries + 1;
  EXPECT_FALSE(decode_exposures(body));
  body.count = 1;
  EXPECT_TRUE(decode_exposures(body));
  body.entries[0].to = {1, 9};
  EXPECT_FALSE(decode_exposures(body));
}

TEST(Exposures, TheSameAgainOrAnOlderListChangesNothing) {
  std::vector<Exposure> known;
  const std::vector<Exposure> first = {open_from(1, {1, 10})};
  const std::vector<Exposure> second = {closed(1, {1, 10}, {1, 50}, 4), open_from(2, {1, 70})};
  ASSERT_TRUE(merge_exposures(known, first, kMaxExposures));
  ASSERT_TRUE(merge_exposures(known, second, kMaxExposures));
  EXPECT_EQ(known, second);
  ASSERT_TRUE(merge_exposures(known, first, kMaxExposures));
  ASSERT_TRUE(merge_exposures(known, second, kMaxExposures));
  EXPECT_EQ(known, second);
}

// The operator moved the ledger away: its numbers begin anew, and what is on record stays.
TEST(Exposures, ALedgerThatBeganAnewTakesNothingBack) {
  std::vector<Exposure> known = {open_from(1, {1, 10})};
  ASSERT_TRUE(merge_exposures(known, {open_from(1, {1, 90})}, kMaxExposures));
  EXPECT_EQ(known.size(), 2U);
}

TEST(Exposures, OnlyWhatIsClosedIsForgottenForRoom) {
  std::vector<Exposure> known = {open_from(1, {1, 10}), closed(2, {1, 20}, {1, 30}),
                                 closed(3, {1, 40}, {1, 50})};
  ASSERT_TRUE(merge_exposures(known, {open_from(4, {1, 60})}, 3));
  ASSERT_EQ(known.size(), 3U);
  EXPECT_EQ(known[0].id, 1U);
  EXPECT_EQ(known[1].id, 3U);
  ASSERT_TRUE(merge_exposures(known, {open_from(5, {1, 70})}, 3));
  const std::vector<Exposure> before = known;
  EXPECT_FALSE(merge_exposures(known, {open_from(6, {1, 80})}, 3));
  EXPECT_EQ(known, before);
}

TEST(Exposures, CoverWhatEndsInThem) {
  EXPECT_FALSE(open_from(1, {1, 10}).covers({1, 10}));
  EXPECT_TRUE(open_from(1, {1, 10}).covers({5, 1}));
  EXPECT_TRUE(closed(1, {1, 10}, {1, 20}).covers({1, 20}));
  EXPECT_FALSE(closed(1, {1, 10}, {1, 20}).covers({1, 21}));
}

TEST(Exposures, ALedgerTellsThoseOfItsStreamOpenOnesFirst) {
  TemporaryDirectory directory;
  Ledger ledger(directory.file("ledger"));
  const Uuid stream = Uuid::random();
  ASSERT_TRUE(ledger.begin_stream(Uuid::random()));
  ASSERT_TRUE(ledger.expose({9, 9}, kEpoch, ExposureKind::own, "another stream's"));
  ASSERT_TRUE(ledger.begin_stream(stream));
  for (std::uint64_t i = 0; i < wire::kExposedEntries + 3; ++i) {
    const auto id = ledger.open_interval({1, 100 * i}, kEpoch, ExposureKind::own, "timeout");
    ASSERT_TRUE(ledger.close_interval(*id, {1, 100 * i + 50}, 1));
  }
  ASSERT_TRUE(ledger.open_interval({7, 700}, kEpoch, ExposureKind::own, "later"));
  ASSERT_TRUE(ledger.open_interval({7, 70}, kEpoch, ExposureKind::server_side, "KILL"));
  const auto told = exposures_of(ledger, stream);
  ASSERT_EQ(told.size(), wire::kExposedEntries);
  EXPECT_EQ(told[0].from, (Position{7, 70}));  // covers the other open one
  EXPECT_EQ(told[1].from, (Position{7, 700}));
  EXPECT_EQ(told.back().from, (Position{1, 100 * (wire::kExposedEntries + 2)}));
}

// --- the source's desk
// ----------------------------------------------------------------------------

struct Desk {
  Uuid origin = Uuid::random();
  ExposureDesk desk{origin, kEpoch};
  std::uint64_t now_ns = 1;

  Desk() { desk.on_session(0, kSession, 0, kPeer); }
  // The number of the list that goes out now; 0: none does.
  std::uint64_t sent() {
    HelloMessage message;
    if (!desk.poll(now_ns, message)) return 0;
    FrameView frame;
    EXPECT_EQ(decode(message.frame(), frame), FrameFault::none);
    EXPECT_EQ(frame.type(), wire::Type::exposed);
    EXPECT_EQ(message.peer, kPeer);
    return body_as<wire::ExposedBody>(frame).number;
  }
  bool reply(std::uint64_t number, std::uint64_t session = kSession, Epoch epoch = kEpoch) {
    wire::ExposedAckBody body;
    body.number = number;
    std::array<std::byte, 128> bytes{};
    std::memcpy(bytes.data() + sizeof(wire::Header), static_cast<const void*>(&body), sizeof body);
    FrameTags tags;
    tags.type = wire::Type::exposed_ack;
    tags.session_id = session;
    tags.epoch = epoch;
    const std::uint32_t length = finish_frame(bytes, tags, sizeof body);
    FrameView frame;
    EXPECT_EQ(decode(ConstBytes(bytes).first(length), frame), FrameFault::none);
    std::uint32_t replica = 99;
    std::uint64_t known = 0;
    if (!desk.on_reply(frame, replica, known)) return false;
    EXPECT_EQ(replica, 0U);
    EXPECT_EQ(known, number);
    return true;
  }
};

TEST(ExposureDesk, NothingIsToldWhileNothingWasExposed) {
  Desk d;
  EXPECT_EQ(d.sent(), 0U);
  EXPECT_EQ(d.desk.update({}, 0), 0U);
  EXPECT_EQ(d.sent(), 0U);
}

// S19: another replica's address says nothing of what is on this one's record.
TEST(ExposureDesk, OnlyTheSessionsOwnAddressAcknowledges) {
  Desk d;
  EXPECT_TRUE(d.desk.comes_from_its_peer(kSession, 0, kPeer));
  EXPECT_FALSE(d.desk.comes_from_its_peer(kSession, 1, kPeer));
  EXPECT_FALSE(d.desk.comes_from_its_peer(kSession, 0, {kPeer.ipv4 + 1, kPeer.udp_port}));
  EXPECT_FALSE(d.desk.comes_from_its_peer(kSession + 1, 0, kPeer));
  EXPECT_FALSE(d.desk.comes_from_its_peer(0, 0, {}));
}

TEST(ExposureDesk, AListIsRepeatedUntilItIsAcknowledged) {
  Desk d;
  EXPECT_EQ(d.desk.update({open_from(1, {1, 10})}, 1), 1U);
  EXPECT_EQ(d.desk.update({open_from(1, {1, 10})}, 1), 1U);  // no news
  EXPECT_EQ(d.sent(), 1U);
  EXPECT_EQ(d.sent(), 0U);
  d.now_ns += kExposedRepeatNs;
  EXPECT_EQ(d.sent(), 1U);
  EXPECT_TRUE(d.reply(1));
  EXPECT_FALSE(d.reply(1));  // a second copy of the answer
  d.now_ns += kExposedRepeatNs;
  EXPECT_EQ(d.sent(), 0U);
  // News go out at once.
  EXPECT_EQ(d.desk.update({closed(1, {1, 10}, {1, 50})}, 1), 2U);
  EXPECT_EQ(d.sent(), 2U);
  EXPECT_EQ(d.desk.known(0), 1U);
}

TEST(ExposureDesk, ANewSessionKnowsNothing) {
  Desk d;
  d.desk.update({open_from(1, {1, 10})}, 1);
  EXPECT_EQ(d.sent(), 1U);
  EXPECT_TRUE(d.reply(1));
  d.desk.on_session(0, kSession, 0, kPeer);
  EXPECT_EQ(d.desk.known(0), 1U);
  d.desk.on_session(0, kSession + 1, 0, kPeer);
  EXPECT_EQ(d.desk.known(0), 0U);
  EXPECT_FALSE(d.reply(1));  // late, of the session that is over
  EXPECT_EQ(d.sent(), 1U);
  EXPECT_TRUE(d.reply(1, kSession + 1));
  d.desk.on_session(0, 0, 0, kPeer);  // lost
  d.desk.update({}, 1);
  d.now_ns += kExposedRepeatNs;
  EXPECT_EQ(d.sent(), 0U);
}

TEST(ExposureDesk, OtherEpochsAndNumbersNeverToldAreNotBelieved) {
  Desk d;
  d.desk.update({open_from(1, {1, 10})}, 1);
  EXPECT_FALSE(d.reply(1, kSession, {2, 2}));
  EXPECT_FALSE(d.reply(2));
  EXPECT_TRUE(d.reply(1));
}

// --- the replica's record
// -------------------------------------------------------------------------

class ExposureRecordTest : public ::testing::Test {
 protected:
  ExposureRecord open() {
    return ExposureRecord(stored, [this](ConstBytes bytes) {
      if (error != 0) return error;
      stored.emplace(bytes.begin(), bytes.end());
      ++stores;
      return 0;
    });
  }
  ExposureList list(std::vector<Exposure> exposures) const {
    ExposureList list;
    list.origin = owner.origin;
    list.term = owner.term;
    list.number = 1;
    list.total = exposures.size();
    list.exposures = std::move(exposures);
    return list;
  }
  std::optional<std::vector<std::byte>> stored;
  int error = 0;
  int stores = 0;
  ExposureOwner owner{Uuid::random(), Uuid::random(), 2};
};

TEST_F(ExposureRecordTest, SurvivesARestart) {
  {
    ExposureRecord record = open();
    record.set_owner(owner);
    EXPECT_TRUE(record.take(list({closed(1, {1, 10}, {1, 20}, 3), open_from(2, {1, 30})})));
    EXPECT_TRUE(record.take(list({closed(1, {1, 10}, {1, 20}, 3), open_from(2, {1, 30})})));
    EXPECT_EQ(stores, 1);  // what is known already is not written again
    EXPECT_EQ(record.set_divergence({3, {1, 25}, {1, 40}, 2}), 0);
  }
  ExposureRecord record = open();
  record.set_owner(owner);
  ASSERT_EQ(record.state().exposures.size(), 2U);
  EXPECT_TRUE(record.state().exposures[1].open());
  ASSERT_TRUE(record.diverged());
  EXPECT_EQ(*record.state().divergence, (Divergence{3, {1, 25}, {1, 40}, 2}));
}

// The answer permits the source to tell this replica of what no quorum has, so the record must
// survive a power cut.
TEST_F(ExposureRecordTest, WhatIsNotOnStableStorageIsNotAcknowledged) {
  ExposureRecord record = open();
  record.set_owner(owner);
  error = EIO;
  EXPECT_FALSE(record.take(list({open_from(1, {1, 10})})));
  EXPECT_TRUE(record.state().exposures.empty());
  EXPECT_EQ(record.failures(), 1U);
  // Diverged it is all the same, until the next start.
  EXPECT_EQ(record.set_divergence({3, {1, 25}, {1, 40}, 2}), EIO);
  EXPECT_TRUE(record.diverged());
}

TEST_F(ExposureRecordTest, AnotherStreamsListIsNotTaken) {
  ExposureRecord record = open();
  EXPECT_FALSE(record.take(list({open_from(1, {1, 10})})));  // it has no stream yet
  record.set_owner(owner);
  ExposureList foreign = list({open_from(1, {1, 10})});
  foreign.term = 3;
  EXPECT_FALSE(record.take(foreign));
  EXPECT_EQ(stores, 0);
}

// Rebuilt, or switched to the next stream: it has diverged from nothing.
TEST_F(ExposureRecordTest, AnotherJournalOrStreamBeginsWithNothing) {
  {
    ExposureRecord record = open();
    record.set_owner(owner);
    ASSERT_EQ(record.set_divergence({3, {1, 25}, {1, 40}, 2}), 0);
  }
  for (const ExposureOwner& other : {ExposureOwner{Uuid::random(), owner.origin, owner.term},
                                     ExposureOwner{owner.journal, owner.origin, 3}}) {
    ExposureRecord record = open();
    record.set_owner(other);
    EXPECT_FALSE(record.diverged());
  }
}

TEST_F(ExposureRecordTest, EveryOtherLengthIsRefused) {
  ExposureState state;
  state.owner = owner;
  for (std::uint64_t i = 0; i < kMaxExposures; ++i) state.exposures.push_back(open_from(i, {1, i}));
  std::vector<std::byte> bytes = encode_exposure_state(state);
  EXPECT_EQ(decode_exposure_state(bytes), state);
  for (std::size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(decode_exposure_state(ConstBytes(bytes).first(length))) << length;
  stored.emplace(3, std::byte{1});
  EXPECT_THROW(open(), StartupError);
}

TEST(ExposureLines, SayWhatIsKnownAndThatTheRestIsNot) {
  ExposureState state;
  std::vector<std::string> lines = exposure_lines(state, {1, 60});
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_NE(lines[0].find("nothing"), std::string::npos);
  EXPECT_NE(lines[1].find("exposure after last contact with the source"), std::string::npos);
  EXPECT_NE(lines[1].find("unknown"), std::string::npos);
  state.exposures = {closed(1, {1, 10}, {1, 20}, 3), open_from(2, {1, 30})};
  state.total = 9;
  lines = exposure_lines(state, {1, 60});
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_NE(lines[0].find("interval 1 from 1:10 to 1:20 (3 event groups)"), std::string::npos);
  EXPECT_NE(lines[1].find("interval 2 from 1:30 on, still open"), std::string::npos);
  EXPECT_NE(to_string(closed(1, {1, 10}, {1, 20}, kUncountedGroups)).find("an unknown number of"),
            std::string::npos);
  EXPECT_NE(lines[2].find("7 older"), std::string::npos);
}

// S10: a later term lacks whole event groups that this replica's server was fed.
TEST(Divergence, IsWhatWasFedBehindTheSeal) {
  EXPECT_FALSE(has_diverged({1, 500}, {1, 400}, 0));
  EXPECT_FALSE(has_diverged({1, 500}, {1, 500}, 0));
  // Only the end of the file is after the seal, or part of a group that was never fed.
  EXPECT_FALSE(has_diverged({1, 500}, {2, 0}, 0));
  EXPECT_TRUE(has_diverged({1, 500}, {1, 900}, 2));
  EXPECT_TRUE(has_diverged({1, 500}, {2, 4}, 1));
}

}  // namespace
}  // namespace binlane
