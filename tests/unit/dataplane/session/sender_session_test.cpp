// SenderSession: what is sent when, and what an ACK changes.
#include "dataplane/session/sender_session.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <vector>

namespace binlane::sender_session_test {

using Kind = SendPlan::Kind;

constexpr std::uint64_t kUs = kNanosPerMicro;
constexpr std::uint64_t kMs = kNanosPerMilli;
constexpr std::uint64_t kSession = 77;
constexpr Epoch kEpoch{1, 4};
constexpr std::uint32_t kPayload = 1000;

struct Sender {
  SenderSession session;
  std::uint64_t now_ns = 5'000 * kMs;
  // Offsets of the session, as numbers.
  std::uint64_t written = 0;
  struct {
    std::uint64_t synced = 0;
    std::uint64_t released = 0;
  } marks;

  explicit Sender(std::uint64_t window_end = 1U << 30, std::uint64_t durable = 0) {
    written = durable;
    session.start(
        {kSession, kEpoch, SessionOffset{durable}, SessionOffset{window_end}, kPayload, now_ns});
  }

  void begin_turn() {
    session.begin_turn(SessionOffset{written},
                       {SessionOffset{marks.synced}, SessionOffset{marks.released}}, now_ns);
  }
  // One turn; returns what it sent.
  std::vector<SendPlan> turn() {
    std::vector<SendPlan> sent;
    begin_turn();
    while (auto plan = session.next(now_ns)) {
      session.on_sent(*plan, plan->max_length, now_ns);
      sent.push_back(*plan);
      if (sent.size() > 1000) throw std::runtime_error("a turn without end");
    }
    return sent;
  }
  std::vector<SendPlan> write(std::uint64_t bytes) {
    written += bytes;
    return turn();
  }
  // Turns every `step` until one sends something; nothing within `limit` gives an empty list.
  std::vector<SendPlan> next_sent(std::uint64_t step_ns, std::uint64_t limit_ns) {
    const std::uint64_t end_ns = now_ns + limit_ns;
    while (now_ns < end_ns) {
      now_ns += step_ns;
      auto sent = turn();
      if (!sent.empty()) return sent;
    }
    return {};
  }
  wire::AckBody ack(std::uint64_t received, std::uint64_t durable,
                    std::initializer_list<std::uint64_t> packets) const {
    wire::AckBody body;
    body.received = received;
    body.durable = durable;
    for (const std::uint64_t packet : packets)
      body.largest_packet = std::max<std::uint64_t>(body.largest_packet, packet);
    for (const std::uint64_t packet : packets) {
      const std::uint64_t distance = body.largest_packet - packet;
      body.bitmap[distance / 8] =
          static_cast<std::uint8_t>(body.bitmap[distance / 8] | (1U << (distance % 8)));
    }
    return body;
  }
  bool take(const wire::AckBody& body) { return session.on_ack(kSession, kEpoch, body, now_ns); }
  bool take(std::uint64_t received, std::uint64_t durable,
            std::initializer_list<std::uint64_t> packets) {
    return take(ack(received, durable, packets));
  }
  // Teaches the session a round trip, so that timeouts are short.
  void learn_rtt(std::uint64_t rtt_ns) {
    for (int i = 0; i < 40; ++i) {
      const auto sent = write(1);
      ASSERT_EQ(sent.size(), 1U);
      now_ns += rtt_ns;
      ASSERT_TRUE(take(written, written, {sent[0].packet_number}));
    }
  }
};

TEST(SenderSession, SendsWhatIsWrittenInFramesOfThePayloadSize) {
  Sender s;
  const auto sent = s.write(2500);
  ASSERT_EQ(sent.size(), 3U);
  std::uint64_t offset = 0;
  for (std::size_t i = 0; i < sent.size(); ++i) {
    EXPECT_EQ(sent[i].kind, Kind::fresh);
    EXPECT_EQ(sent[i].packet_number, i + 1);
    EXPECT_EQ(sent[i].offset.value, offset);
    offset += sent[i].max_length;
  }
  EXPECT_EQ(offset, 2500U);
  EXPECT_TRUE(s.turn().empty());
}

TEST(SenderSession, BeginsBehindWhatTheReplicaHas) {
  Sender s(1U << 30, 4000);
  const auto sent = s.write(10);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].offset.value, 4000U);
  EXPECT_EQ(s.session.received().value, 4000U);
  EXPECT_EQ(s.session.durable().value, 4000U);
}

TEST(SenderSession, ALostPacketIsFoundByThreeLaterNumbers) {
  Sender s;
  ASSERT_EQ(s.write(5000).size(), 5U);
  s.now_ns += 50 * kUs;
  s.take(1000, 0, {1, 3, 4});  // 2 is two below the largest: it may be reordering
  EXPECT_TRUE(s.turn().empty());
  s.take(1000, 0, {1, 3, 4, 5});
  const auto sent = s.turn();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].kind, Kind::retransmit);
  EXPECT_EQ(sent[0].packet_number, 6U);
  EXPECT_EQ(sent[0].offset.value, 1000U);
  EXPECT_EQ(sent[0].max_length, 1000U);
}

TEST(SenderSession, AGapIsFoundByTimeWhenNoLaterNumbersFollow) {
  Sender s;
  s.learn_rtt(100 * kUs);
  const auto first = s.write(3000);
  ASSERT_EQ(first.size(), 3U);
  s.now_ns += 100 * kUs;
  s.take(s.written - 2000, 0, {first[0].packet_number, first[2].packet_number});
  EXPECT_TRUE(s.turn().empty());
  const std::uint64_t from_ns = s.now_ns;
  const auto sent = s.next_sent(1 * kUs, 10 * kMs);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].kind, Kind::retransmit);
  EXPECT_EQ(sent[0].offset.value, first[1].offset.value);
  EXPECT_LE(s.now_ns - from_ns, 30 * kUs);  // a quarter of a round trip later
}

TEST(SenderSession, ALostRetransmissionIsFoundLikeAnyOther) {
  Sender s;
  s.write(5000);
  s.take(1000, 0, {1, 3, 4, 5});
  ASSERT_EQ(s.turn().size(), 1U);       // 6 carries what 2 did
  ASSERT_EQ(s.write(3000).size(), 3U);  // 7, 8, 9
  s.take(1000, 0, {1, 3, 4, 5, 7, 8, 9});
  const auto sent = s.turn();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].packet_number, 10U);
  EXPECT_EQ(sent[0].offset.value, 1000U);
}

TEST(SenderSession, WhatArrivedAfterAllIsNotSentAgain) {
  Sender s;
  s.write(5000);
  s.take(1000, 0, {1, 3, 4, 5});  // 2 is taken for lost
  s.take(5000, 0, {1, 2, 3, 4, 5});
  EXPECT_TRUE(s.turn().empty());
  EXPECT_EQ(s.session.counters().retransmits, 0U);
}

TEST(SenderSession, LossesGoFirst) {
  Sender s;
  s.write(5000);
  s.take(1000, 0, {1, 3, 4, 5});
  const auto sent = s.write(2000);
  ASSERT_EQ(sent.size(), 3U);
  EXPECT_EQ(sent[0].kind, Kind::retransmit);
  EXPECT_EQ(sent[1].kind, Kind::fresh);
  EXPECT_EQ(sent[1].offset.value, 5000U);
}

TEST(SenderSession, ALostTailIsProbedAfterTwoRoundTrips) {
  Sender s;
  s.learn_rtt(100 * kUs);
  const auto first = s.write(500);
  const std::uint64_t sent_ns = s.now_ns;
  const auto probe = s.next_sent(1 * kUs, 10 * kMs);
  ASSERT_EQ(probe.size(), 1U);
  EXPECT_EQ(probe[0].kind, Kind::probe);
  EXPECT_EQ(probe[0].replaces, first[0].packet_number);
  EXPECT_EQ(probe[0].offset.value, first[0].offset.value);
  EXPECT_EQ(probe[0].max_length, 500U);
  EXPECT_EQ(probe[0].flags, wire::kFlagProbe | wire::kFlagAckNow);
  EXPECT_NEAR(static_cast<double>(s.now_ns - sent_ns), 200.0 * kUs, 5.0 * kUs);
}

TEST(SenderSession, ProbesBackOffToABoundAndGoOn) {
  Sender s;
  s.learn_rtt(100 * kUs);
  s.write(500);
  std::uint64_t last_ns = s.now_ns;
  std::vector<std::uint64_t> pauses;
  for (int i = 0; i < 12; ++i) {
    ASSERT_EQ(s.next_sent(1 * kUs, 20 * kMs).size(), 1U);
    pauses.push_back(s.now_ns - last_ns);
    last_ns = s.now_ns;
  }
  for (std::size_t i = 1; i < pauses.size(); ++i) {
    if (pauses[i] < kMaxProbeNs) {
      EXPECT_EQ(pauses[i], 2 * pauses[i - 1]);
    }
  }
  EXPECT_EQ(pauses.back(), kMaxProbeNs);
  // A sign of life begins anew.
  s.take(s.written, 0, {s.session.counters().frames});
  s.write(500);
  const std::uint64_t from_ns = s.now_ns;
  ASSERT_EQ(s.next_sent(1 * kUs, 20 * kMs).size(), 1U);
  EXPECT_LE(s.now_ns - from_ns, pauses[1] * 2);
}

TEST(SenderSession, ProbeTimingNeverFallsBelowItsFloor) {
  Sender s;
  s.learn_rtt(1 * kUs);
  s.write(500);
  const std::uint64_t from_ns = s.now_ns;
  ASSERT_EQ(s.next_sent(1 * kUs, 20 * kMs).size(), 1U);
  EXPECT_GE(s.now_ns - from_ns, kMinProbeNs);
}

TEST(SenderSession, RoundTripLeavesTheAckDelayOut) {
  Sender s;
  for (int i = 0; i < 40; ++i) {
    const auto sent = s.write(1);
    s.now_ns += 5'000 * kUs;
    auto ack = s.ack(s.written, s.written, {sent[0].packet_number});
    ack.ack_delay_ns = 4'900 * kUs;
    ASSERT_TRUE(s.take(ack));
  }
  EXPECT_NEAR(static_cast<double>(s.session.round_trip().smoothed_ns()), 100.0 * kUs, 1.0 * kUs);
}

TEST(SenderSession, AnAckDelayBeyondTheElapsedTimeDoesNoHarm) {
  Sender s;
  const auto sent = s.write(1);
  s.now_ns += 10 * kUs;
  auto ack = s.ack(1, 0, {sent[0].packet_number});
  ack.ack_delay_ns = UINT32_MAX;
  ASSERT_TRUE(s.take(ack));
  EXPECT_LE(s.session.round_trip().smoothed_ns(), 1U);
}

TEST(SenderSession, ARepeatedAckIsNoRoundTripSample) {
  Sender s;
  const auto sent = s.write(1);
  s.now_ns += 100 * kUs;
  s.take(1, 0, {sent[0].packet_number});
  const std::uint64_t smoothed = s.session.round_trip().smoothed_ns();
  s.now_ns += 50 * kMs;
  s.take(1, 1, {sent[0].packet_number});
  EXPECT_EQ(s.session.round_trip().smoothed_ns(), smoothed);
}

TEST(SenderSession, NoMorePacketsAreOutThanTheBitmapIsWide) {
  Sender s;
  s.written = 1'000'000;
  std::size_t sent = 0;
  for (int i = 0; i < 200; ++i) sent += s.turn().size();
  EXPECT_EQ(sent, kMaxInFlight);
  EXPECT_GT(s.session.counters().flight_limited, 0U);
  // One packet answered makes room, but only once it is the oldest.
  s.take(0, 0, {2});
  EXPECT_TRUE(s.turn().empty());
  s.take(2000, 0, {1, 2});
  EXPECT_EQ(s.turn().size(), 2U);
}

TEST(SenderSession, AFullFlightStillProbes) {
  Sender s;
  s.written = 1'000'000;
  for (int i = 0; i < 200; ++i) s.turn();
  const auto probe = s.next_sent(100 * kUs, 20 * kMs);
  ASSERT_EQ(probe.size(), 1U);
  EXPECT_EQ(probe[0].kind, Kind::probe);
  EXPECT_EQ(probe[0].replaces, 1U);
  EXPECT_EQ(probe[0].packet_number, kMaxInFlight + 1);
}

TEST(SenderSession, KeepsWithinTheWindow) {
  Sender s(1500);
  const auto sent = s.write(5000);
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[1].offset.value + sent[1].max_length, 1500U);
  EXPECT_GT(s.session.counters().window_limited, 0U);
  auto ack = s.ack(1500, 0, {1, 2});
  ack.window_end = 2500;
  s.take(ack);
  const auto more = s.turn();
  ASSERT_EQ(more.size(), 1U);
  EXPECT_EQ(more[0].offset.value, 1500U);
  EXPECT_EQ(more[0].max_length, 1000U);
}

TEST(SenderSession, TheWindowNeverShrinks) {
  Sender s(3000);
  auto ack = s.ack(0, 0, {});
  ack.window_end = 1000;
  ASSERT_TRUE(s.take(ack));
  EXPECT_EQ(s.write(3000).size(), 3U);
}

// The ACK that opened the window may be lost, and nothing else would report it.
TEST(SenderSession, AShutWindowIsAskedAboutLongBeforeTheKeepalive) {
  Sender s(1000);
  ASSERT_EQ(s.write(5000).size(), 1U);
  s.take(1000, 1000, {1});
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t from_ns = s.now_ns;
    const auto sent = s.next_sent(100 * kUs, kKeepaliveNs);
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].kind, Kind::marks);
    EXPECT_NE(sent[0].flags & wire::kFlagAckNow, 0);
    EXPECT_LE(s.now_ns - from_ns, 20 * kMs);
    EXPECT_GE(s.now_ns - from_ns, 1 * kMs);  // asking is not flooding
  }
}

TEST(SenderSession, AnOpenWindowIsNotAskedAbout) {
  Sender s(1000);
  ASSERT_EQ(s.write(1000).size(), 1U);
  s.take(1000, 1000, {1});  // it is used up, but there is nothing to send
  EXPECT_TRUE(s.next_sent(100 * kUs, kKeepaliveNs - 1 * kMs).empty());
}

TEST(SenderSession, MarksGoOutWhenTheyMoveWhileIdle) {
  Sender s;
  s.write(100);
  s.take(100, 100, {1});
  s.marks = {100, 0};
  auto sent = s.turn();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].kind, Kind::marks);
  s.marks = {100, 100};
  sent = s.turn();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].kind, Kind::marks);
  EXPECT_EQ(sent[0].max_length, 0U);
  EXPECT_EQ(sent[0].offset.value, 100U);
  EXPECT_TRUE(s.turn().empty());
}

TEST(SenderSession, MarksTravelWithDataInstead) {
  Sender s;
  s.write(100);
  s.take(100, 100, {1});
  s.marks = {100, 100};
  const auto sent = s.write(50);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].kind, Kind::fresh);
}

TEST(SenderSession, AReleasedMarkIsRepeatedUntilTheReplicaHasSeenIt) {
  Sender s;
  s.write(100);
  s.take(100, 100, {1});
  s.marks = {100, 100};
  ASSERT_EQ(s.turn().size(), 1U);
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t from_ns = s.now_ns;
    const auto sent = s.next_sent(100 * kUs, kKeepaliveNs);
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].kind, Kind::marks);
    EXPECT_NE(sent[0].flags & wire::kFlagAckNow, 0);
    EXPECT_NEAR(static_cast<double>(s.now_ns - from_ns), kMarkRepeatNs, 200.0 * kUs);
  }
  auto ack = s.ack(100, 100, {1});
  ack.released_seen = 100;
  s.take(ack);
  EXPECT_TRUE(s.next_sent(100 * kUs, kKeepaliveNs / 2).empty());
}

TEST(SenderSession, AnIdleSessionKeepsItselfAlive) {
  Sender s;
  for (int i = 0; i < 5; ++i) {
    const std::uint64_t from_ns = s.now_ns;
    const auto sent = s.next_sent(1 * kMs, kPeerTimeoutNs / 2);
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].kind, Kind::marks);
    EXPECT_NE(sent[0].flags & wire::kFlagAckNow, 0);
    EXPECT_NEAR(static_cast<double>(s.now_ns - from_ns), kKeepaliveNs, 2.0 * kMs);
    s.take(0, 0, {sent[0].packet_number});
  }
  EXPECT_FALSE(s.session.timed_out(s.now_ns));
}

// `synced` may move for seconds without a byte to send, and frames without ACK_NOW are not
// answered.
TEST(SenderSession, MovingMarksAloneStillAskForASignOfLife) {
  Sender s;
  for (int i = 0; i < 200; ++i) {
    s.now_ns += 10 * kMs;
    s.marks.synced += 1;
    for (const SendPlan& plan : s.turn()) {
      if ((plan.flags & wire::kFlagAckNow) != 0) s.take(0, 0, {plan.packet_number});
    }
    ASSERT_FALSE(s.session.timed_out(s.now_ns)) << "after " << i * 10 << " ms";
  }
}

TEST(SenderSession, SilenceEndsTheSession) {
  Sender s;
  s.write(100);
  std::uint64_t silent_ns = 0;
  while (!s.session.timed_out(s.now_ns) && silent_ns < 3 * kPeerTimeoutNs) {
    s.now_ns += 1 * kMs;
    silent_ns += 1 * kMs;
    s.turn();
  }
  EXPECT_NEAR(static_cast<double>(silent_ns), kPeerTimeoutNs, 5.0 * kMs);
}

TEST(SenderSession, APauseOfOurOwnBlamesNobody) {
  for (const std::uint64_t pause_ms : {300, 900, 1000, 1001, 5000, 100'000}) {
    Sender s;
    s.turn();
    s.now_ns += 95 * kMs;  // silent, but not long
    s.turn();
    s.now_ns += pause_ms * kMs;
    s.turn();
    EXPECT_FALSE(s.session.timed_out(s.now_ns)) << pause_ms << " ms";
    // Afterwards silence counts again.
    for (int i = 0; i < 1100; ++i) {
      s.now_ns += 1 * kMs;
      s.turn();
    }
    EXPECT_TRUE(s.session.timed_out(s.now_ns)) << pause_ms << " ms";
  }
}

TEST(SenderSession, AcksOfAnotherSessionOrEpochDoNotCount) {
  Sender s;
  s.write(100);
  const auto ack = s.ack(100, 100, {1});
  EXPECT_FALSE(s.session.on_ack(kSession + 1, kEpoch, ack, s.now_ns));
  EXPECT_FALSE(s.session.on_ack(kSession, {1, 3}, ack, s.now_ns));
  EXPECT_FALSE(s.session.on_ack(kSession, {2, 4}, ack, s.now_ns));
  EXPECT_EQ(s.session.durable().value, 0U);
  EXPECT_EQ(s.session.counters().stale_acks, 3U);
  s.session.stop();
  EXPECT_FALSE(s.take(ack));
}

TEST(SenderSession, ClaimsBeyondWhatWasSentDoNotCount) {
  Sender s;
  s.write(100);
  s.marks = {100, 60};
  s.turn();
  const auto forged = [&](auto change) {
    auto ack = s.ack(100, 50, {1});
    change(ack);
    return ack;
  };
  EXPECT_FALSE(s.take(forged([](auto& a) { a.received = 101; })));
  EXPECT_FALSE(s.take(forged([](auto& a) { a.durable = 101; })));
  EXPECT_FALSE(s.take(forged([](auto& a) { a.applied = 51; })));
  EXPECT_FALSE(s.take(forged([](auto& a) { a.applied = UINT64_MAX; })));
  EXPECT_FALSE(s.take(forged([](auto& a) { a.released_seen = 61; })));
  EXPECT_FALSE(s.take(forged([](auto& a) { a.largest_packet = 3; })));
  EXPECT_FALSE(s.take(forged([](auto& a) { a.largest_packet = UINT64_MAX; })));
  EXPECT_EQ(s.session.received().value, 0U);
  EXPECT_EQ(s.session.counters().stale_acks, 7U);
  EXPECT_TRUE(s.take(forged([](auto& a) { a.released_seen = 60; })));
  EXPECT_EQ(s.session.durable().value, 50U);
}

TEST(SenderSession, AnOvertakenAckTakesNothingBack) {
  Sender s;
  s.write(3000);
  s.take(3000, 3000, {1, 2, 3});
  s.take(1000, 0, {1});
  EXPECT_EQ(s.session.received().value, 3000U);
  EXPECT_EQ(s.session.durable().value, 3000U);
  EXPECT_TRUE(s.turn().empty());
}

TEST(SenderSession, ACatchingUpPeerGetsFewFramesATurn) {
  Sender s;
  s.written = 4 * kCatchUpDistance;
  const auto sent = s.turn();
  EXPECT_EQ(sent.size(), kCatchUpFramesPerTurn);
  EXPECT_EQ(sent[0].flags, wire::kFlagCatchUp);
  Sender live;
  EXPECT_EQ(live.write(200'000).size(), kLiveFramesPerTurn);
}

TEST(SenderSession, ATurnWithoutABufferLosesNothing) {
  Sender s;
  s.written = 3000;
  s.begin_turn();
  const auto plan = s.session.next(s.now_ns);
  ASSERT_TRUE(plan);
  const auto sent = s.turn();  // the plan was dropped
  ASSERT_EQ(sent.size(), 3U);
  EXPECT_EQ(sent[0].packet_number, plan->packet_number);
  EXPECT_EQ(sent[0].offset.value, 0U);
}

TEST(SenderSession, AFrameMayCoverLessThanPlanned) {
  // The end of a file cuts a frame short; the next one begins there.
  Sender s;
  s.written = 1500;
  s.begin_turn();
  auto plan = s.session.next(s.now_ns);
  ASSERT_EQ(plan->max_length, 1000U);
  s.session.on_sent(*plan, 300, s.now_ns);
  plan = s.session.next(s.now_ns);
  EXPECT_EQ(plan->offset.value, 300U);
  EXPECT_EQ(plan->max_length, 1000U);
}

TEST(RoundTrip, StaysWithinItsBoundsWhateverItIsFed) {
  RoundTrip trip;
  for (const std::uint64_t sample :
       {std::uint64_t{1}, std::uint64_t{0}, 100 * kUs, 1000 * kNanosPerSecond, std::uint64_t{1}}) {
    trip.sample(sample);
    for (std::uint32_t backoff = 0; backoff < 70; ++backoff) {
      EXPECT_GE(trip.probe_timeout_ns(backoff), kMinProbeNs);
      EXPECT_LE(trip.probe_timeout_ns(backoff), kMaxProbeNs);
    }
    EXPECT_GE(trip.reorder_window_ns(), kMinProbeNs);
    EXPECT_LE(trip.reorder_window_ns(), kMaxProbeNs);
  }
}

// A window that no journal has is not believed: one wrong ACK must not end the flow control.
TEST(SenderSession, AWindowIsBoundedByTheLargestJournal) {
  Sender s(1000);
  s.write(1000);
  wire::AckBody ack = s.ack(500, 500, {1});
  ack.window_end = UINT64_MAX;
  ASSERT_TRUE(s.session.on_ack(kSession, kEpoch, ack, s.now_ns));
  EXPECT_TRUE(s.session.has_room());
  s.written = 500 + kMaxWindowBytes + 1'000'000;
  EXPECT_EQ(s.session.window_end().value, 500 + kMaxWindowBytes);
}

TEST(SenderSession, SoIsTheWindowThatASessionBeginsWith) {
  Sender s(UINT64_MAX, 300);
  EXPECT_EQ(s.session.window_end().value, 300 + kMaxWindowBytes);
}

}  // namespace binlane::sender_session_test
