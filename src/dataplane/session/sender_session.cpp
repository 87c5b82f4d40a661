#include "dataplane/session/sender_session.h"

#include "base/assert.h"
#include "base/mutant.h"

namespace binlane {

void SenderSession::start(const Start& start) noexcept {
  BL_ASSERT(start.session_id != 0);
  BL_ASSERT(start.max_payload >= sizeof(wire::FileEndPayload));
  *this = SenderSession{};
  active_ = true;
  session_id_ = start.session_id;
  epoch_ = start.epoch;
  received_ = durable_ = next_offset_ = start.durable;
  window_end_ = std::min(start.window_end, start.durable + kMaxWindowBytes);
  max_payload_ = start.max_payload;
  last_send_ns_ = last_eliciting_ns_ = last_ack_ns_ = last_turn_ns_ = start.now_ns;
}

bool SenderSession::on_ack(std::uint64_t session_id, Epoch epoch, const wire::AckBody& ack,
                           std::uint64_t now_ns) noexcept {
  const bool same_session = BL_MUTANT(stale_session_ack_accepted, true, session_id == session_id_);
  const bool same_epoch = BL_MUTANT(stale_epoch_ack_accepted, true, epoch == epoch_);
  const bool current = active_ && same_session && same_epoch;
  const SessionOffset received{ack.received};
  const SessionOffset durable{ack.durable};
  const SessionOffset applied{ack.applied};
  const SessionOffset released_seen{ack.released_seen};
  const bool possible = received <= next_offset_ && durable <= received && applied <= durable &&
                        released_seen <= released_sent_ && ack.largest_packet < next_packet_;
  if (!current || !possible) {
    ++counters_.stale_acks;
    return false;
  }
  ++counters_.acks;
  last_ack_ns_ = now_ns;
  take_acknowledged(ack, now_ns);
  find_lost(now_ns);
  // Cumulative marks only grow; an ACK that was overtaken by a newer one changes nothing.
  received_ = std::max(received_, received);
  durable_ = std::max(durable_, durable);
  applied_ = std::max(applied_, applied);
  window_end_ =
      std::max(window_end_, std::min(SessionOffset{ack.window_end}, received_ + kMaxWindowBytes));
  released_seen_ = std::max(released_seen_, released_seen);
  peer_state_ = ack.state;
  BL_ASSERT(applied_ <= durable_ && durable_ <= received_ && received_ <= next_offset_);
  return true;
}

void SenderSession::resolve(Packet& packet) noexcept {
  BL_ASSERT(packet.number != 0 && in_flight_ > 0);
  packet.number = 0;
  --in_flight_;
}

void SenderSession::take_acknowledged(const wire::AckBody& ack, std::uint64_t now_ns) noexcept {
  const std::uint64_t largest = ack.largest_packet;
  BL_ASSERT(largest < next_packet_);  // on_ack() has passed over what was never sent
  bool progress = false;
  for (std::uint64_t number = oldest_packet_; number < next_packet_; ++number) {
    Packet& packet = slot(number);
    if (packet.number != number) continue;
    const std::uint64_t distance = largest - number;  // meaningful only when number <= largest
    const bool reported = number <= largest && distance < wire::kBitmapBits &&
                          (ack.bitmap[distance / 8] >> (distance % 8) & 1) != 0;
    if (!reported && packet.offset + packet.length > SessionOffset{ack.received}) continue;
    if (number == largest && now_ns > packet.sent_ns) {
      const std::uint64_t elapsed = now_ns - packet.sent_ns;
      const std::uint64_t delay = ack.ack_delay_ns;
      round_trip_.sample(elapsed > delay ? elapsed - delay : 1);
    }
    resolve(packet);
    progress = true;
  }
  largest_acked_ = std::max(largest_acked_, largest);
  if (progress) {
    probe_backoff_ = 0;
    last_eliciting_ns_ = now_ns;  // silence is counted from the newest frame that was heard
  }
}

void SenderSession::find_lost(std::uint64_t now_ns) noexcept {
  const std::uint64_t window_ns = round_trip_.reorder_window_ns();
  while (oldest_packet_ < next_packet_ && slot(oldest_packet_).number != oldest_packet_)
    ++oldest_packet_;
  for (std::uint64_t number = oldest_packet_; number < largest_acked_; ++number) {
    Packet& packet = slot(number);
    if (packet.number != number) continue;
    const bool overtaken = largest_acked_ - number >= kReorderThreshold;
    const bool late = now_ns > packet.sent_ns && now_ns - packet.sent_ns > window_ns;
    if (!overtaken && !late) continue;
    queue_retransmit(packet);
    resolve(packet);
  }
}

void SenderSession::queue_retransmit(const Packet& packet) noexcept {
  // Fresh bytes wait while anything is lost, so flight and losses together never exceed the
  // flight's bound.
  BL_ASSERT(lost_count_ < lost_.size());
  BL_ASSERT(packet.length > 0 && packet.offset + packet.length <= next_offset_);
  lost_[(lost_head_ + lost_count_) % lost_.size()] = {packet.offset, packet.length};
  ++lost_count_;
}

void SenderSession::begin_turn(SessionOffset written, const SessionMarks& marks,
                               std::uint64_t now_ns) noexcept {
  if (!active_) return;
  if (now_ns - last_turn_ns_ > kPauseNs) last_ack_ns_ = last_eliciting_ns_ = now_ns;
  last_turn_ns_ = now_ns;
  BL_ASSERT(written >= next_offset_ && written >= written_);
  BL_ASSERT(marks.synced >= marks_.synced && marks.released <= marks.synced);
  BL_ASSERT(marks.released >= marks_.released);  // a released mark never decreases
  const bool was_live = next_offset_ == written_;
  written_ = written;
  marks_ = marks;
  catching_up_ = written_ - next_offset_ > kCatchUpDistance;
  budget_ = was_live && !catching_up_ ? kLiveFramesPerTurn : kCatchUpFramesPerTurn;
  // No later ACK reveals a gap within the reorder window once the line is quiet.
  if (in_flight_ > 0) find_lost(now_ns);
}

bool SenderSession::room_in_flight() noexcept {
  while (oldest_packet_ < next_packet_ && slot(oldest_packet_).number != oldest_packet_)
    ++oldest_packet_;
  return next_packet_ - oldest_packet_ < kMaxInFlight;
}

std::optional<SendPlan> SenderSession::next(std::uint64_t now_ns) noexcept {
  if (!active_) return std::nullopt;
  BL_ASSERT(in_flight_ <= next_packet_ - oldest_packet_ && in_flight_ <= kMaxInFlight);
  if (!room_in_flight()) {
    ++counters_.flight_limited;
    return plan_probe(now_ns);
  }
  if (auto plan = plan_retransmit()) return plan;
  if (auto plan = plan_fresh()) return plan;
  if (auto plan = plan_probe(now_ns)) return plan;
  return plan_marks(now_ns);
}

std::optional<SendPlan> SenderSession::plan_retransmit() noexcept {
  while (lost_count_ > 0) {
    const Range& range = lost_[lost_head_];
    if (range.offset + range.length > received_) {
      if (budget_ == 0) return std::nullopt;
      return SendPlan{SendPlan::Kind::retransmit, next_packet_, 0, range.offset, range.length, 0};
    }
    lost_head_ = (lost_head_ + 1) % lost_.size();  // it arrived after all
    --lost_count_;
  }
  return std::nullopt;
}

std::optional<SendPlan> SenderSession::plan_fresh() noexcept {
  if (lost_count_ > 0 || budget_ == 0 || next_offset_ == written_) return std::nullopt;
  if (next_offset_ >= window_end_) {
    ++counters_.window_limited;
    return std::nullopt;
  }
  const std::uint64_t room = std::min(written_, window_end_) - next_offset_;
  const auto length = static_cast<std::uint32_t>(std::min<std::uint64_t>(room, max_payload_));
  const std::uint16_t flags = catching_up_ ? wire::kFlagCatchUp : 0;
  return SendPlan{SendPlan::Kind::fresh, next_packet_, 0, next_offset_, length, flags};
}

std::optional<SendPlan> SenderSession::plan_probe(std::uint64_t now_ns) noexcept {
  if (in_flight_ == 0 || now_ns < last_eliciting_ns_) return std::nullopt;
  if (now_ns - last_eliciting_ns_ < round_trip_.probe_timeout_ns(probe_backoff_))
    return std::nullopt;
  std::uint64_t number = oldest_packet_;
  while (slot(number).number != number) ++number;
  BL_ASSERT(number < next_packet_);
  const Packet& packet = slot(number);
  // If the flight is full the probe takes the oldest packet's slot: next_packet_ - number ==
  // kMaxInFlight.
  return SendPlan{SendPlan::Kind::probe, next_packet_,  number,
                  packet.offset,         packet.length, wire::kFlagProbe | wire::kFlagAckNow};
}

std::optional<SendPlan> SenderSession::plan_marks(std::uint64_t now_ns) noexcept {
  const bool moved = marks_.released != released_sent_ || marks_.synced != synced_sent_;
  const std::uint64_t quiet_ns = now_ns > last_send_ns_ ? now_ns - last_send_ns_ : 0;
  const bool unconfirmed = released_seen_ < released_sent_ && quiet_ns > kMarkRepeatNs;
  // The ACK that opened the window may have been lost, and nothing is in flight that would be
  // probed.
  const bool shut = next_offset_ != written_ && next_offset_ >= window_end_ && lost_count_ == 0 &&
                    quiet_ns > kWindowAskNs;
  const bool keepalive = quiet_ns > kKeepaliveNs;
  if (!moved && !unconfirmed && !shut && !keepalive) return std::nullopt;
  // Marks that move all the time keep the line busy, but are not answered: ask for an ACK.
  const bool silent = now_ns > last_ack_ns_ && now_ns - last_ack_ns_ > kKeepaliveNs;
  const std::uint16_t flags = unconfirmed || shut || keepalive || silent ? wire::kFlagAckNow : 0;
  return SendPlan{SendPlan::Kind::marks, next_packet_, 0, next_offset_, 0, flags};
}

void SenderSession::on_sent(const SendPlan& plan, std::uint32_t length,
                            std::uint64_t now_ns) noexcept {
  BL_ASSERT(active_ && plan.packet_number == next_packet_);
  BL_ASSERT(length <= plan.max_length);
  ++counters_.frames;
  counters_.bytes += length;
  last_send_ns_ = now_ns;
  released_sent_ = marks_.released;
  synced_sent_ = marks_.synced;
  switch (plan.kind) {
    case SendPlan::Kind::marks:
      ++counters_.mark_frames;
      ++next_packet_;
      return;
    case SendPlan::Kind::fresh:
      BL_ASSERT(plan.offset == next_offset_ && length > 0);
      next_offset_ += length;
      BL_ASSERT(next_offset_ <= written_ && next_offset_ <= window_end_);
      break;
    case SendPlan::Kind::retransmit: {
      ++counters_.retransmits;
      Range& range = lost_[lost_head_];
      BL_ASSERT(range.offset == plan.offset && length > 0 && length <= range.length);
      range.offset += length;
      range.length -= length;
      if (range.length == 0) {
        lost_head_ = (lost_head_ + 1) % lost_.size();
        --lost_count_;
      }
      break;
    }
    case SendPlan::Kind::probe:
      ++counters_.probes;
      if (probe_backoff_ < UINT32_MAX) ++probe_backoff_;
      BL_ASSERT(length == slot(plan.replaces).length && plan.replaces < plan.packet_number);
      resolve(slot(plan.replaces));
      break;
  }
  if (budget_ > 0) --budget_;
  last_eliciting_ns_ = now_ns;
  Packet& packet = slot(next_packet_);
  BL_ASSERT(packet.number == 0);
  packet = {next_packet_, plan.offset, now_ns, length};
  ++in_flight_;
  ++next_packet_;
}

}  // namespace binlane
