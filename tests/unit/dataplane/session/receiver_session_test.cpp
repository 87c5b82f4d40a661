// ReceiverSession: what reaches the log, and what the ACKs say.
#include "dataplane/session/receiver_session.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>

#include "support/frames.h"
#include "support/memory_log.h"

namespace binlane {
namespace {

using test::bit_of;
using test::Bytes;
using test::DataFrame;
using test::MemoryLog;

constexpr std::uint64_t kUs = kNanosPerMicro;
constexpr std::uint64_t kMs = kNanosPerMilli;
constexpr std::uint64_t kSession = 7;
constexpr Epoch kEpoch{1, 1};

struct Receiver {
  MemoryLog log;
  ReceiverSession session{2000};
  std::uint64_t now_ns = 9'000 * kMs;
  std::uint64_t packet = 0;

  explicit Receiver(std::uint32_t blocks = 64) : log(blocks, 1U << 20) {
    log.begin_at({1, 0});
    if (!log.start_epoch(kEpoch)) throw std::runtime_error("no room");
    complete();
    session.start(kSession, kEpoch, 0, log);
  }
  void complete() {
    while (const auto write = log.next_write())
      log.on_completion({write->id, static_cast<std::int32_t>(write->length)});
  }
  void give(const Bytes& frame) { session.on_data(test::view_of(frame), log, now_ns); }
  // Linear and file offsets are the same in file 1.
  void data(std::uint64_t number, std::uint64_t offset, const std::string& text,
            std::uint16_t flags = 0) {
    DataFrame frame;
    frame.packet = number;
    frame.offset = offset;
    frame.at = {1, offset};
    frame.flags = flags;
    give(frame.with(text));
  }
  void marks(std::uint64_t number, std::uint64_t synced, std::uint64_t released,
             std::uint16_t flags = 0) {
    DataFrame frame;
    frame.packet = number;
    frame.synced = synced;
    frame.released = released;
    frame.flags = flags;
    give(frame.marks());
  }
  std::optional<wire::AckBody> ack() {
    session.poll(log);
    if (!session.ack_due(log, now_ns)) return std::nullopt;
    return session.make_ack(log, 0, now_ns);
  }
  std::string text() const {
    std::string text;
    for (std::uint64_t i = 0; i < log.end_log(); ++i)
      text += log.file_end_at(i) != nullptr ? '|' : std::to_integer<char>(log.unit(i));
    return text;
  }
};

TEST(ReceiverSession, ProbesAndFramesOfACatchUpAreCounted) {
  Receiver r;
  r.data(1, 0, "ab", wire::kFlagCatchUp);
  r.data(2, 2, "cd");
  r.data(3, 0, "ab", wire::kFlagProbe | wire::kFlagAckNow);
  EXPECT_EQ(r.text(), "abcd");
  EXPECT_EQ(r.session.counters().frames, 3U);
  EXPECT_EQ(r.session.counters().catch_up_frames, 1U);
  EXPECT_EQ(r.session.counters().probes, 1U);
}

TEST(ReceiverSession, WhatOthersNeedIsAsTheNewestFrameSays) {
  Receiver r;
  const auto said = [&](std::uint64_t number, std::uint32_t file) {
    DataFrame frame;
    frame.packet = number;
    frame.peers_need = file;
    r.give(frame.marks());
    return r.session.peers_need();
  };
  EXPECT_EQ(r.session.peers_need(), 0U);
  EXPECT_EQ(said(1, 7), 7U);
  EXPECT_EQ(said(3, 4), 4U);  // another replica has joined
  EXPECT_EQ(said(2, 7), 4U);  // late
  r.session.start(kSession + 1, kEpoch, 0, r.log);
  EXPECT_EQ(r.session.peers_need(), 0U);
}

TEST(ReceiverSession, BytesInOrderGoToTheLogAndAreAnswered) {
  Receiver r;
  r.data(1, 0, "abc");
  r.data(2, 3, "def");
  EXPECT_EQ(r.text(), "abcdef");
  const auto ack = r.ack();
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->received, 6U);
  EXPECT_EQ(ack->durable, 0U);
  EXPECT_EQ(ack->largest_packet, 2U);
  EXPECT_TRUE(bit_of(*ack, 0) && bit_of(*ack, 1) && !bit_of(*ack, 2));
  EXPECT_FALSE(r.ack());
}

TEST(ReceiverSession, DurableIsSaidWhenTheWriteCompletesAndNotBefore) {
  Receiver r;
  r.data(1, 0, "abc");
  ASSERT_TRUE(r.ack());
  const auto write = r.log.next_write();
  EXPECT_FALSE(r.ack());
  r.log.on_completion({write->id, static_cast<std::int32_t>(write->length)});
  const auto ack = r.ack();
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->durable, 3U);
}

TEST(ReceiverSession, AppliedIsSaidAsFarAsTheServerAndTheJournalAre) {
  Receiver r;
  r.data(1, 0, "abcdef");
  r.complete();
  auto ack = r.ack();
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->durable, 6U);
  EXPECT_EQ(ack->applied, 0U) << "nobody has asked the server";
  EXPECT_EQ(ack->state & wire::kStateAppliedKnown, 0);
  r.session.note_applied(4);
  ack = r.ack();
  ASSERT_TRUE(ack) << "it is news by itself";
  EXPECT_EQ(ack->applied, 4U);
  EXPECT_NE(ack->state & wire::kStateAppliedKnown, 0);
  EXPECT_FALSE(r.ack());
  r.session.note_applied(100);
  ack = r.ack();
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->applied, 6U) << "the server came from a copy of a host that had more";
}

TEST(ReceiverSession, AppliedIsKnownOnceTheServerIsThereWhereTheSessionBegan) {
  Receiver r;
  r.data(1, 0, "abcdef");
  r.complete();
  ASSERT_TRUE(r.ack());
  r.session.start(kSession + 1, kEpoch, 6, r.log);
  r.session.note_applied(5);
  EXPECT_FALSE(r.ack());
  r.session.note_applied(6);
  const auto ack = r.ack();
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->applied, 0U);
  EXPECT_NE(ack->state & wire::kStateAppliedKnown, 0);
}

TEST(ReceiverSession, OutOfOrderFramesWaitAndAreReported) {
  Receiver r;
  r.data(3, 6, "ghi");
  r.data(2, 3, "def");
  EXPECT_EQ(r.text(), "");
  auto ack = r.ack();
  EXPECT_EQ(ack->received, 0U);
  EXPECT_TRUE(bit_of(*ack, 0) && bit_of(*ack, 1) && !bit_of(*ack, 2));
  r.data(4, 0, "abc");
  EXPECT_EQ(r.text(), "abcdefghi");
  ack = r.ack();
  EXPECT_EQ(ack->received, 9U);
  EXPECT_FALSE(bit_of(*ack, 3));  // packet 1 never came
  EXPECT_EQ(r.session.counters().out_of_order, 2U);
}

TEST(ReceiverSession, DuplicatesAreAnsweredAndChangeNothing) {
  Receiver r;
  r.data(1, 0, "abc");
  r.ack();
  r.data(1, 0, "abc");  // the same packet
  EXPECT_TRUE(r.ack());
  r.data(2, 0, "abc");  // the same bytes again, for example a probe
  const auto ack = r.ack();
  ASSERT_TRUE(ack);
  EXPECT_TRUE(bit_of(*ack, 0));
  EXPECT_EQ(r.text(), "abc");
  EXPECT_EQ(r.session.counters().duplicates, 2U);
}

TEST(ReceiverSession, OverlapsAreTrimmed) {
  Receiver r;
  r.data(1, 0, "abcd");
  r.data(2, 2, "cdef");
  EXPECT_EQ(r.text(), "abcdef");
  r.data(3, 8, "ijk");    // kept
  r.data(4, 7, "hijkl");  // kept as well: longer
  r.data(5, 4, "efghi");  // reaches into both
  EXPECT_EQ(r.text(), "abcdefghijkl");
  EXPECT_EQ(r.ack()->received, 12U);
}

TEST(ReceiverSession, RandomOrderDuplicatesAndCutsGiveTheSameBytes) {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    Receiver r;
    std::string stream;
    for (int i = 0; i < 300; ++i) stream += static_cast<char>('a' + random() % 26);
    // Every byte is in some frame; frames overlap and come in any order, some twice.
    std::vector<std::pair<std::size_t, std::size_t>> frames;
    for (std::size_t at = 0; at < stream.size();) {
      const std::size_t length = 1 + random() % 40;
      frames.push_back({at, std::min(length, stream.size() - at)});
      at += 1 + random() % length;
    }
    const std::size_t unique = frames.size();
    for (std::size_t i = 0; i < unique / 3; ++i) frames.push_back(frames[random() % unique]);
    std::shuffle(frames.begin(), frames.end(), random);
    std::uint64_t number = 0;
    for (const auto& [at, length] : frames) r.data(++number, at, stream.substr(at, length));
    ASSERT_TRUE(r.session.active());
    ASSERT_EQ(r.text(), stream) << "round " << round;
  }
}

TEST(ReceiverSession, TheEndOfAFileIsOneUnit) {
  Receiver r;
  r.data(1, 0, "abc");
  DataFrame next;  // file 2 overtakes the end of file 1
  next.packet = 3;
  next.offset = 4;
  next.at = {2, 0};
  r.give(next.with("xyz"));
  EXPECT_EQ(r.text(), "abc");
  DataFrame end;
  end.packet = 2;
  end.offset = 3;
  end.at = {1, 3};
  r.give(end.file_end({1, 3, 2, 1}));
  EXPECT_EQ(r.text(), "abc|xyz");
  EXPECT_EQ(r.log.end(), (Position{2, 3}));
  ASSERT_NE(r.log.file_end_at(3), nullptr);
  EXPECT_EQ(r.log.file_end_at(3)->last_group_end, 2U);
  EXPECT_EQ(r.log.file_end_at(3)->flags_byte, 1U);
  EXPECT_EQ(r.ack()->received, 7U);
  r.give(end.file_end({1, 3, 2, 1}));
  EXPECT_EQ(r.text(), "abc|xyz");
}

TEST(ReceiverSession, AFileEndMayOvertakeTheBytesInFrontOfIt) {
  Receiver r;
  DataFrame end;
  end.packet = 2;
  end.offset = 3;
  end.at = {1, 3};
  r.give(end.file_end({1, 3, 3, 0}));
  r.data(1, 0, "abc");
  EXPECT_EQ(r.text(), "abc|");
  EXPECT_EQ(r.log.end(), (Position{2, 0}));
}

TEST(ReceiverSession, WhatFindsNoRoomIsNotReportedAndComesAgain) {
  Receiver r(8);  // 4 for records, 1 taken by the epoch: 3 blocks of 1024
  const std::string block(MemoryLog::kBlockUnits, 'x');
  r.data(1, 0, block);
  r.complete();
  r.data(2, 1024, block);
  r.complete();
  r.data(3, 2048, block);
  r.complete();
  r.ack();
  r.data(4, 3072, "full");
  EXPECT_FALSE(r.ack());
  EXPECT_EQ(r.session.counters().dropped_no_room, 1U);
  r.data(5, 3072, "full", wire::kFlagAckNow);
  auto ack = r.ack();
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->largest_packet, 3U);
  EXPECT_EQ(ack->received, 3072U);

  r.marks(6, 4000, 2048);
  r.session.poll(r.log);
  r.log.on_archived(r.log.release_mark().sequence);
  r.data(7, 3072, "full");
  ack = r.ack();
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->received, 3076U);
  EXPECT_TRUE(bit_of(*ack, 0) && bit_of(*ack, 1));
  EXPECT_FALSE(bit_of(*ack, 2) || bit_of(*ack, 3));  // 5 and 4 were dropped
}

TEST(ReceiverSession, KeptFramesWaitForRoom) {
  Receiver r(8);
  const std::string block(MemoryLog::kBlockUnits, 'x');
  r.data(1, 0, block);
  r.complete();
  r.data(3, 2048, block);
  r.data(4, 3072 - 24, std::string(24, 'y'));  // within the window as it was announced
  r.data(2, 1024, block);
  EXPECT_EQ(r.ack()->received, 3072U);
  EXPECT_EQ(r.text().size(), 3072U);
}

TEST(ReceiverSession, TheWindowNeverShrinksAndOpensWithTheArchive) {
  Receiver r(16);  // 11 blocks for data
  const std::string block(MemoryLog::kBlockUnits, 'x');
  std::uint64_t window = 11 * kWindowBytesPerBlock;
  std::uint64_t number = 0;
  for (std::uint64_t at = 0; at < 11 * 1024; at += 1024) {
    r.data(++number, at, block);
    r.complete();
    const auto ack = r.ack();
    ASSERT_TRUE(ack);
    EXPECT_GE(ack->window_end, window);
    window = ack->window_end;
  }
  EXPECT_EQ(window, 11 * 1024U);
  EXPECT_EQ(r.log.free_blocks(), 0U);
  r.marks(++number, 11 * 1024, 11 * 1024);
  r.session.poll(r.log);
  EXPECT_FALSE(r.ack());
  r.log.on_archived(r.log.release_mark().sequence);
  const auto ack = r.ack();  // nothing arrived: the opening is the news
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->window_end, 11 * 1024U + r.log.free_blocks() * kWindowBytesPerBlock);
}

TEST(ReceiverSession, FramesBeyondTheWindowAreNotKept) {
  Receiver r(16);
  r.data(1, 11 * 1024 - 2, "ab");
  r.data(2, 11 * 1024 - 1, "ab");
  EXPECT_EQ(r.session.counters().out_of_order, 1U);
  EXPECT_EQ(r.session.counters().dropped_no_slot, 1U);
  const auto ack = r.ack();
  EXPECT_EQ(ack->largest_packet, 1U);
}

TEST(ReceiverSession, TooManyOutOfOrderAreDroppedAndNotReported) {
  Receiver r(1000);
  for (std::uint64_t i = 1; i <= kReorderSlots; ++i) r.data(i, 2 * i, "x");
  EXPECT_EQ(r.session.counters().dropped_no_slot, 0U);
  r.ack();
  r.data(kReorderSlots + 1, 1, "y");
  EXPECT_EQ(r.session.counters().dropped_no_slot, 1U);
  EXPECT_FALSE(r.ack());
  r.data(kReorderSlots + 2, 0, "abc");  // frees one
  EXPECT_EQ(r.text(), "abc");
}

TEST(ReceiverSession, ReleasesWhatIsDurableSyncedAndReleased) {
  Receiver r;
  r.data(1, 0, "abcdef");
  r.marks(2, 4, 6);
  r.session.poll(r.log);
  EXPECT_EQ(r.log.released_log(), 0U);  // not durable yet
  r.complete();
  r.session.poll(r.log);
  EXPECT_EQ(r.log.released_log(), 4U);  // not beyond synced
  r.marks(3, 6, 5);
  r.session.poll(r.log);
  EXPECT_EQ(r.log.released_log(), 6U);  // the larger released mark came before
  r.marks(4, 1, 1);
  r.session.poll(r.log);
  EXPECT_EQ(r.log.released_log(), 6U);
}

TEST(ReceiverSession, MarksAreAnsweredOnlyWhenTheyAsk) {
  Receiver r;
  r.marks(1, 0, 0);
  EXPECT_FALSE(r.ack());
  r.marks(2, 0, 0, wire::kFlagAckNow);
  const auto ack = r.ack();
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->largest_packet, 2U);
  EXPECT_TRUE(bit_of(*ack, 1));
}

TEST(ReceiverSession, TheDurableAckIsRepeatedDoublingAndBounded) {
  Receiver r;
  r.data(1, 0, "abc");
  r.complete();
  ASSERT_TRUE(r.ack());
  std::vector<std::uint64_t> pauses;
  std::uint64_t last_ns = r.now_ns;
  for (std::uint64_t i = 0; i < 1'000'000 / 50; ++i) {  // a second
    r.now_ns += 50 * kUs;
    if (const auto ack = r.ack()) {
      EXPECT_EQ(ack->durable, 3U);
      pauses.push_back(r.now_ns - last_ns);
      last_ns = r.now_ns;
    }
  }
  ASSERT_EQ(pauses.size(), kMaxAckRepeats);
  EXPECT_EQ(pauses[0], kFirstAckRepeatNs);
  for (std::size_t i = 1; i < pauses.size(); ++i) EXPECT_EQ(pauses[i], 2 * pauses[i - 1]);
  EXPECT_EQ(r.session.counters().ack_repeats, kMaxAckRepeats);
}

TEST(ReceiverSession, RepeatsEndOnceTheSourceShowsThatItKnows) {
  Receiver r;
  r.data(1, 0, "abc");
  r.complete();
  ASSERT_TRUE(r.ack());
  r.now_ns += 500 * kUs;
  ASSERT_TRUE(r.ack());
  r.marks(2, 3, 3);
  for (int i = 0; i < 1000; ++i) {
    r.now_ns += 1 * kMs;
    EXPECT_FALSE(r.ack());
  }
}

TEST(ReceiverSession, TheAckDelayIsCountedFromTheLargestPacket) {
  Receiver r;
  r.data(2, 3, "def");
  r.now_ns += 30 * kUs;
  r.data(1, 0, "abc");  // older: changes nothing
  r.now_ns += 12 * kUs;
  EXPECT_EQ(r.ack()->ack_delay_ns, 42 * kUs);
}

TEST(ReceiverSession, OtherSessionsAndEpochsAreNotTaken) {
  Receiver r;
  DataFrame frame;
  frame.session_id = 8;
  r.give(frame.with("abc"));
  frame.session_id = kSession;
  frame.epoch = {1, 0};
  r.give(frame.with("abc"));
  frame.epoch = {2, 1};
  r.give(frame.with("abc"));
  EXPECT_EQ(r.text(), "");
  EXPECT_EQ(r.session.counters().stale, 3U);
  EXPECT_FALSE(r.ack());
  r.session.stop();
  r.data(1, 0, "abc");
  EXPECT_EQ(r.text(), "");
}

TEST(ReceiverSession, FramesThatContradictThemselvesAreDropped) {
  Receiver r;
  DataFrame frame;
  frame.packet = 0;
  r.give(frame.with("abc"));  // no number
  frame.packet = 1;
  frame.at = {0, 0};
  r.give(frame.with("abc"));  // no file
  frame.at = {1, 0};
  frame.offset = UINT64_MAX - 1;
  r.give(frame.with("abc"));  // would wrap
  frame.offset = 0;
  frame.at = {1, UINT64_MAX - 1};
  r.give(frame.with("abc"));
  frame.at = {1, 0};
  r.give(frame.file_end({1, 5, 0, 0}));  // the size is not where it stands
  r.give(frame.file_end({1, 0, 1, 0}));  // a group beyond the file
  EXPECT_EQ(r.session.counters().malformed, 6U);
  EXPECT_TRUE(r.session.active());
  EXPECT_FALSE(r.ack());
  r.data(1, 0, "abc");
  EXPECT_EQ(r.text(), "abc");
}

TEST(ReceiverSession, ASourceThatContradictsTheLogEndsTheSession) {
  for (const int kind : {0, 1, 2, 3}) {
    Receiver r;
    r.data(1, 0, "abc");
    DataFrame frame;
    frame.packet = 2;
    frame.offset = 3;
    frame.at = {1, 4};
    if (kind == 0) r.give(frame.with("x"));  // linear and file offset do not agree
    frame.at = {2, 3};
    if (kind == 1) r.give(frame.with("x"));  // another file
    frame.at = {1, 4};
    if (kind == 2) r.give(frame.file_end({1, 4, 4, 0}));  // ends elsewhere
    if (kind == 3) {                                      // found only when it leaves its slot
      frame.offset = 5;
      frame.at = {1, 6};
      r.give(frame.with("x"));
      r.data(3, 3, "de");
    }
    EXPECT_FALSE(r.session.active()) << kind;
    EXPECT_EQ(r.session.counters().malformed, 1U);
    EXPECT_FALSE(r.ack());
    r.session.poll(r.log);
    EXPECT_EQ(r.text(), kind == 3 ? "abcde" : "abc");
  }
}

// Every distance that a packet number may jump, against a plain set.
TEST(ReceiverSession, TheBitmapShiftsByAnyDistance) {
  for (std::uint64_t distance = 0; distance <= 300; ++distance) {
    Receiver r;
    std::set<std::uint64_t> seen;
    std::uint64_t largest = 0;
    const auto packet = [&](std::uint64_t number) {
      r.marks(number, 0, 0);
      seen.insert(number);
      largest = std::max(largest, number);
    };
    for (const std::uint64_t number : {1, 2, 5, 64, 65, 127, 128, 129, 192, 256, 257})
      packet(number);
    packet(257 + distance);
    r.marks(257 + distance + 3, 0, 0, wire::kFlagAckNow);
    seen.insert(257 + distance + 3);
    largest = 257 + distance + 3;
    const auto ack = r.ack();
    ASSERT_TRUE(ack);
    EXPECT_EQ(ack->largest_packet, largest);
    for (std::uint64_t i = 0; i < wire::kBitmapBits; ++i) {
      const bool expected = i < largest && seen.contains(largest - i);
      EXPECT_EQ(bit_of(*ack, i), expected) << "distance " << distance << " bit " << i;
    }
  }
}

TEST(ReceiverSession, NumbersOlderThanTheBitmapCountAsDuplicates) {
  Receiver r;
  r.marks(1000, 0, 0);
  r.data(1000 - wire::kBitmapBits, 0, "abc");
  EXPECT_EQ(r.text(), "");
  EXPECT_EQ(r.session.counters().duplicates, 1U);
  r.data(1000 - wire::kBitmapBits + 1, 0, "abc");
  EXPECT_EQ(r.text(), "abc");
}

TEST(ReceiverSession, ANewSessionForgetsTheOldOne) {
  Receiver r;
  r.data(1, 0, "abc");
  r.data(3, 6, "ghi");  // kept
  r.marks(4, 3, 3);
  r.complete();
  r.session.poll(r.log);
  ASSERT_EQ(r.log.released_log(), 3U);
  r.session.start(9, kEpoch, 3, r.log);
  EXPECT_FALSE(r.ack());
  DataFrame frame;
  frame.session_id = 9;
  frame.packet = 1;
  frame.offset = 0;
  frame.at = {1, 3};
  r.give(frame.with("DEF"));
  const auto ack = r.ack();
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->received, 3U);
  EXPECT_EQ(ack->released_seen, 0U);
  EXPECT_EQ(ack->largest_packet, 1U);
  EXPECT_EQ(r.text(), "abcDEF");  // and nothing of what the old session had kept
}

// Marks beyond all reason neither wrap nor stay: what comes later is released as the source says.
TEST(ReceiverSession, MarksAreBoundedByWhatWasReceived) {
  Receiver r;
  r.data(1, 0, "0123456789");
  r.complete();
  r.marks(2, UINT64_MAX, UINT64_MAX);
  EXPECT_EQ(r.session.released_seen(), 10 + kMaxMarkLead);
  EXPECT_EQ(r.session.synced(), 10 + kMaxMarkLead);
  const auto ack = r.ack();
  ASSERT_TRUE(ack);
  EXPECT_EQ(std::uint64_t{ack->received}, 10U);
  EXPECT_EQ(r.log.released_log(), 10U);
}

// Positions that no binlog has: sums with them would wrap, and no file could follow.
TEST(ReceiverSession, ImplausiblePositionsAreMalformed) {
  Receiver r;
  DataFrame frame;
  frame.packet = 1;
  frame.at = {UINT32_MAX, 0};
  r.give(frame.with("x"));
  frame.at = {1, kOffsetLimit + 1};
  r.give(frame.with("x"));
  frame.at = {1, 0};
  frame.offset = kOffsetLimit + 1;
  r.give(frame.with("x"));
  frame.offset = 0;
  frame.packet = UINT64_MAX;
  r.give(frame.with("x"));
  frame.packet = 1;
  frame.at = {UINT32_MAX, 0};
  r.give(frame.file_end({UINT32_MAX, 0, 0, 0}));
  EXPECT_EQ(r.session.counters().malformed, 5U);
  EXPECT_EQ(r.session.counters().bytes, 0U);
  // The session continues.
  r.data(1, 0, "0123456789");
  EXPECT_EQ(r.session.counters().bytes, 10U);
}

}  // namespace
}  // namespace binlane
