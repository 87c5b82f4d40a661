// SenderSession: the source's half of a session with one replica. No I/O, no clock; the source's
// lane owns it.
//
// It decides what to send next and learns from ACKs what arrived. It holds no bytes: a
// retransmission is read again from the binlog file. Offsets here are the session's linear ones
// (include/binlane/wire.h).
//
// Loss is found per packet number: each (re)transmission has a number of its own, the replica
// reports all the numbers it saw, so a number that stays out while later ones arrive is a gap, at
// once. A lost tail shows in no later number: a probe goes out about two round trips after the last
// send.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/epoch.h"
#include "binlane/wire.h"
#include "dataplane/round_trip.h"
#include "dataplane/session_limits.h"

namespace binlane {

// What the source announces with every frame, as the session's linear offsets.
struct SessionMarks {
  std::uint64_t synced = 0;
  std::uint64_t released = 0;
};

// One frame the session wants sent.
struct SendPlan {
  enum class Kind : std::uint8_t { retransmit, fresh, probe, marks };
  Kind kind = Kind::marks;
  std::uint64_t packet_number = 0;
  std::uint64_t replaces = 0;    // probe: number of the packet whose range it carries again
  std::uint64_t offset = 0;      // linear, first byte; for marks: where the session stands
  std::uint32_t max_length = 0;  // payload bytes at the most; 0: marks only
  std::uint16_t flags = 0;
};

struct SenderCounters {
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;
  std::uint64_t retransmits = 0;
  std::uint64_t probes = 0;
  std::uint64_t mark_frames = 0;
  std::uint64_t acks = 0;
  std::uint64_t stale_acks = 0;  // old session, old epoch, or a claim beyond what was sent
  std::uint64_t window_limited = 0;
  std::uint64_t flight_limited = 0;
};

class SenderSession {
 public:
  struct Start {
    std::uint64_t session_id = 0;
    Epoch epoch;
    std::uint64_t durable = 0;  // the replica has this much durable already
    std::uint64_t window_end = 0;
    std::uint32_t max_payload = wire::kMinDataPayload;  // stream bytes that fit a frame
    std::uint64_t now_ns = 0;
  };
  void start(const Start& start) noexcept;
  void stop() noexcept { active_ = false; }
  bool active() const noexcept { return active_; }
  std::uint64_t session_id() const noexcept { return session_id_; }
  Epoch epoch() const noexcept { return epoch_; }

  // An ACK whose frame carried `session_id` and `epoch`. False (counted) when it does not count:
  // marks are taken from the current session and epoch only (I3), and never beyond what was sent.
  bool on_ack(std::uint64_t session_id, Epoch epoch, const wire::AckBody& ack,
              std::uint64_t now_ns) noexcept;

  // Begins a turn: `written` is the stream's end. Detects pauses and refills the turn's budget.
  void begin_turn(std::uint64_t written, const SessionMarks& marks, std::uint64_t now_ns) noexcept;
  // The next frame of this turn, or nothing. Call on_sent() for it before asking again, unless no
  // buffer or no byte was to be had: then leave it, the plan is made again in a later turn.
  std::optional<SendPlan> next(std::uint64_t now_ns) noexcept;
  // `length`: units the frame covered (payload bytes, or 1 for a file's end, or 0 for marks).
  void on_sent(const SendPlan& plan, std::uint32_t length, std::uint64_t now_ns) noexcept;

  // No ACK for kPeerTimeoutNs.
  bool timed_out(std::uint64_t now_ns) const noexcept {
    return active_ && now_ns > last_ack_ns_ && now_ns - last_ack_ns_ > kPeerTimeoutNs;
  }

  // The replica's journal would take another frame.
  bool has_room() const noexcept { return next_offset_ + max_payload_ <= window_end_; }

  std::uint64_t window_end() const noexcept { return window_end_; }
  std::uint64_t received() const noexcept { return received_; }
  std::uint64_t durable() const noexcept { return durable_; }
  std::uint64_t applied() const noexcept { return applied_; }
  std::uint16_t peer_state() const noexcept { return peer_state_; }
  const RoundTrip& round_trip() const noexcept { return round_trip_; }
  const SenderCounters& counters() const noexcept { return counters_; }

 private:
  struct Packet {
    std::uint64_t number = 0;  // 0: the slot is free
    std::uint64_t offset = 0;
    std::uint64_t sent_ns = 0;
    std::uint32_t length = 0;
  };
  struct Range {
    std::uint64_t offset = 0;
    std::uint32_t length = 0;
  };

  Packet& slot(std::uint64_t number) noexcept { return packets_[number & (kMaxInFlight - 1)]; }
  void resolve(Packet& packet) noexcept;
  void take_acknowledged(const wire::AckBody& ack, std::uint64_t now_ns) noexcept;
  void find_lost(std::uint64_t now_ns) noexcept;
  void queue_retransmit(const Packet& packet) noexcept;
  bool room_in_flight() noexcept;
  std::optional<SendPlan> plan_retransmit() noexcept;
  std::optional<SendPlan> plan_probe(std::uint64_t now_ns) noexcept;
  std::optional<SendPlan> plan_fresh() noexcept;
  std::optional<SendPlan> plan_marks(std::uint64_t now_ns) noexcept;

  bool active_ = false;
  std::uint64_t session_id_ = 0;
  Epoch epoch_;
  std::uint64_t received_ = 0;
  std::uint64_t durable_ = 0;
  std::uint64_t applied_ = 0;
  std::uint64_t window_end_ = 0;
  std::uint64_t next_offset_ = 0;  // first byte never sent
  std::uint64_t next_packet_ = 1;
  std::uint64_t oldest_packet_ = 1;  // no unresolved packet has a smaller number
  std::uint64_t largest_acked_ = 0;
  std::uint32_t in_flight_ = 0;  // unresolved packets
  std::uint32_t probe_backoff_ = 0;
  std::uint32_t max_payload_ = 0;
  std::size_t budget_ = 0;
  std::uint64_t written_ = 0;
  SessionMarks marks_;
  std::uint64_t released_sent_ = 0;
  std::uint64_t synced_sent_ = 0;
  std::uint64_t released_seen_ = 0;  // by the replica
  std::uint64_t last_send_ns_ = 0;
  std::uint64_t last_eliciting_ns_ = 0;
  std::uint64_t last_ack_ns_ = 0;
  std::uint64_t last_turn_ns_ = 0;
  std::uint16_t peer_state_ = 0;
  bool catching_up_ = false;
  RoundTrip round_trip_;
  // Lost ranges, oldest first. Every lost packet left the flight, so there are never more than fit.
  std::array<Range, kMaxInFlight> lost_{};
  std::size_t lost_head_ = 0;
  std::size_t lost_count_ = 0;
  std::array<Packet, kMaxInFlight> packets_{};
  SenderCounters counters_;
};

}  // namespace binlane
