// SenderSession: the source's half of a session with one replica. No I/O, no clock; the source's
// lane owns it.
//
// It decides what to send next and learns from ACKs what arrived. It holds no bytes: a
// retransmission is read again from the binlog file. Offsets here are the session's
// (include/binlane/wire.h).
//
// Loss is found by packet number. Each (re)transmission has a number of its own, and the replica
// reports all the numbers it saw, so a number that is missing while later ones arrive reveals a gap
// at once. No later number reveals a lost tail, so a probe is sent about two round trips after the
// last send.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/epoch.h"
#include "base/offset.h"
#include "binlane/wire.h"
#include "dataplane/session/round_trip.h"
#include "dataplane/session/session_limits.h"

namespace binlane {

// What the source announces with every frame.
struct SessionMarks {
  SessionOffset synced;
  SessionOffset released;
};

// One frame that the session wants to send.
struct SendPlan {
  enum class Kind : std::uint8_t { retransmit, fresh, probe, marks };
  Kind kind = Kind::marks;
  std::uint64_t packet_number = 0;
  std::uint64_t replaces = 0;    // probe: number of the packet whose range it carries again
  SessionOffset offset;          // of the first byte; for marks: the session's present offset
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
    SessionOffset durable;  // the replica has this much durable already
    SessionOffset window_end;
    std::uint32_t max_payload = wire::kMinDataPayload;  // stream bytes that fit a frame
    std::uint64_t now_ns = 0;
  };
  void start(const Start& start) noexcept;
  void stop() noexcept { active_ = false; }
  bool active() const noexcept { return active_; }
  std::uint64_t session_id() const noexcept { return session_id_; }
  Epoch epoch() const noexcept { return epoch_; }

  // An ACK whose frame carried `session_id` and `epoch`. Returns false (counted) if it does not
  // count: marks are taken from the current session and epoch only, and never beyond what was sent.
  // [I3]
  bool on_ack(std::uint64_t session_id, Epoch epoch, const wire::AckBody& ack,
              std::uint64_t now_ns) noexcept;

  // Begins a turn: `written` is the stream's end. Detects pauses and refills the turn's budget.
  void begin_turn(SessionOffset written, const SessionMarks& marks, std::uint64_t now_ns) noexcept;
  // The next frame of this turn, or nothing. Call on_sent() for it before asking again. If there
  // was no buffer or no byte for it, do not call on_sent(): the plan is made again in a later turn.
  std::optional<SendPlan> next(std::uint64_t now_ns) noexcept;
  // `length`: units the frame covered (payload bytes, or 1 for a file's end, or 0 for marks).
  void on_sent(const SendPlan& plan, std::uint32_t length, std::uint64_t now_ns) noexcept;

  // No ACK for kPeerTimeoutNs.
  bool timed_out(std::uint64_t now_ns) const noexcept {
    return active_ && now_ns > last_ack_ns_ && now_ns - last_ack_ns_ > kPeerTimeoutNs;
  }

  // The replica's journal has room for another frame.
  bool has_room() const noexcept { return next_offset_ + max_payload_ <= window_end_; }

  SessionOffset window_end() const noexcept { return window_end_; }
  SessionOffset received() const noexcept { return received_; }
  SessionOffset durable() const noexcept { return durable_; }
  SessionOffset applied() const noexcept { return applied_; }
  std::uint16_t peer_state() const noexcept { return peer_state_; }
  const RoundTrip& round_trip() const noexcept { return round_trip_; }
  const SenderCounters& counters() const noexcept { return counters_; }

 private:
  struct Packet {
    std::uint64_t number = 0;  // 0: the slot is free
    SessionOffset offset;
    std::uint64_t sent_ns = 0;
    std::uint32_t length = 0;
  };
  struct Range {
    SessionOffset offset;
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
  SessionOffset received_;
  SessionOffset durable_;
  SessionOffset applied_;
  SessionOffset window_end_;
  SessionOffset next_offset_;  // first byte never sent
  std::uint64_t next_packet_ = 1;
  std::uint64_t oldest_packet_ = 1;  // no unresolved packet has a smaller number
  std::uint64_t largest_acked_ = 0;
  std::uint32_t in_flight_ = 0;  // unresolved packets
  std::uint32_t probe_backoff_ = 0;
  std::uint32_t max_payload_ = 0;
  std::size_t budget_ = 0;
  SessionOffset written_;
  SessionMarks marks_;
  SessionOffset released_sent_;
  SessionOffset synced_sent_;
  SessionOffset released_seen_;  // by the replica
  std::uint64_t last_send_ns_ = 0;
  std::uint64_t last_eliciting_ns_ = 0;
  std::uint64_t last_ack_ns_ = 0;
  std::uint64_t last_turn_ns_ = 0;
  std::uint16_t peer_state_ = 0;
  bool catching_up_ = false;
  RoundTrip round_trip_;
  // Lost ranges, oldest first. Every lost packet has left the flight, so there are never more than
  // fit.
  std::array<Range, kMaxInFlight> lost_{};
  std::size_t lost_head_ = 0;
  std::size_t lost_count_ = 0;
  std::array<Packet, kMaxInFlight> packets_{};
  SenderCounters counters_;
};

}  // namespace binlane
