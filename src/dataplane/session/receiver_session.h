// ReceiverSession: the replica's half of a session. No I/O, no clock; the replica's lane owns it.
//
// It puts the stream's bytes in order and gives them to a log (the journal, through a small
// concept), and makes the ACKs: cumulative marks, and every packet number seen. A frame that finds
// no room is dropped, counted, and *not* reported as seen, so that the source sends it again.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/epoch.h"
#include "base/file_end.h"
#include "base/mutant.h"
#include "base/position.h"
#include "base/stream_slice.h"
#include "binlane/wire.h"
#include "dataplane/session/frame.h"
#include "dataplane/session/session_limits.h"

namespace binlane {

// What the receiver needs of the journal (storage/journal/journal.h).
template <class L>
concept StreamLog = requires(L log, const L& view, Position at, ConstBytes bytes, FileEnd file_end,
                             std::uint64_t mark) {
  { log.append(at, bytes) } -> std::same_as<bool>;
  { log.append_file_end(file_end) } -> std::same_as<bool>;
  { view.end() } -> std::same_as<Position>;
  { view.end_log() } -> std::same_as<std::uint64_t>;
  { view.durable_log() } -> std::same_as<std::uint64_t>;
  { view.free_blocks() } -> std::convertible_to<std::uint32_t>;
  { view.block_count() } -> std::convertible_to<std::uint32_t>;
  {log.release(mark)};
};

struct ReceiverCounters {
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t out_of_order = 0;
  std::uint64_t stale = 0;            // another session or epoch
  std::uint64_t malformed = 0;        // contradicts itself or the log: nothing was taken
  std::uint64_t dropped_no_room = 0;  // journal full
  std::uint64_t dropped_no_slot = 0;  // too many out of order, or beyond the window
  std::uint64_t acks = 0;
  std::uint64_t ack_repeats = 0;
  std::uint64_t probes = 0;           // of `frames`: sent to find out whether the newest ones came
  std::uint64_t catch_up_frames = 0;  // of `frames`: sent while the source was far from its end
};

class ReceiverSession {
 public:
  // Allocates the reorder slots; `max_payload` is the port's.
  explicit ReceiverSession(std::uint32_t max_payload);

  // Begins a session whose linear 0 is the log offset `origin_log`, and which continues at the
  // log's end.
  template <StreamLog Log>
  void start(std::uint64_t session_id, Epoch epoch, std::uint64_t origin_log,
             const Log& log) noexcept;
  void stop() noexcept { active_ = false; }
  bool active() const noexcept { return active_; }
  std::uint64_t session_id() const noexcept { return session_id_; }
  Epoch epoch() const noexcept { return epoch_; }
  std::uint64_t origin_log() const noexcept { return origin_log_; }

  // A DATA frame. Gives the log the bytes that are in order now, and the source's released mark.
  template <StreamLog Log>
  void on_data(const FrameView& frame, Log& log, std::uint64_t now_ns) noexcept;

  // Once a turn: tries frames again that were kept because the log was full, and releases what has
  // become durable.
  template <StreamLog Log>
  void poll(Log& log) noexcept;

  // True when an ACK is due: something arrived, durable() moved, or the last ACK has to be
  // repeated.
  template <StreamLog Log>
  bool ack_due(const Log& log, std::uint64_t now_ns) const noexcept;
  // The ACK to send now; call only to send it.
  template <StreamLog Log>
  wire::AckBody make_ack(const Log& log, std::uint16_t state, std::uint64_t now_ns) noexcept;
  std::uint64_t next_packet_number() noexcept { return ++ack_number_; }

  // What the local server has executed, as a log offset that only grows; 0 while it is unknown.
  void note_applied(std::uint64_t applied_log) noexcept { applied_log_ = applied_log; }
  std::uint64_t synced() const noexcept { return synced_; }
  // What this session has proven to be stored at both ends, as a log offset: the source had synced
  // it, and this replica had acknowledged it as durable. Keeps its value when the session ends.
  std::uint64_t safe_log() const noexcept { return in_log(std::min(synced_, durable_acked_)); }
  // The log is another one from now on.
  void forget_marks() noexcept { synced_ = durable_acked_ = origin_log_ = 0; }
  // The source was heard by another frame than DATA.
  void note_heard(std::uint64_t now_ns) noexcept { heard_ns_ = now_ns; }
  // When the last frame of this session came; before the first, when the session began.
  std::uint64_t heard_ns() const noexcept { return heard_ns_; }
  std::uint64_t released_seen() const noexcept { return released_seen_; }
  // The oldest binlog file that some other replica in a session lacks, as the source last said; 0:
  // it has not said.
  std::uint32_t peers_need() const noexcept { return peers_need_; }
  const ReceiverCounters& counters() const noexcept { return counters_; }

 private:
  // As a frame brings it.
  struct Piece : StreamSlice {
    std::uint64_t offset = 0;  // linear

    std::uint64_t end_offset() const noexcept { return offset + length; }
  };
  struct Slot {
    bool used = false;
    Piece piece;
  };
  enum class Taken : std::uint8_t { yes, duplicate, no };

  static bool parse(const FrameView& frame, Piece& piece, ConstBytes& payload) noexcept;
  void note_packet(std::uint64_t number, std::uint64_t now_ns) noexcept;
  bool is_noted(std::uint64_t number) const noexcept;
  template <StreamLog Log>
  Taken take(const Piece& piece, ConstBytes payload, Log& log) noexcept;
  template <StreamLog Log>
  bool append(Piece piece, ConstBytes payload, Log& log) noexcept;
  template <StreamLog Log>
  void drain_slots(Log& log) noexcept;
  // The source contradicts its own earlier frames: nothing more of this session is taken, and the
  // session has to begin anew.
  bool contradict() noexcept {
    ++counters_.malformed;
    active_ = false;
    return false;
  }
  Taken keep(const Piece& piece, ConstBytes payload) noexcept;
  MutableBytes slot_bytes(std::size_t index) noexcept {
    return MutableBytes(slot_storage_).subspan(index * max_payload_, max_payload_);
  }
  template <StreamLog Log>
  std::uint64_t window_end(const Log& log) const noexcept;
  // The journal's offset of a session's one, and back. Nowhere else does one become the other.
  std::uint64_t in_log(std::uint64_t at) const noexcept { return origin_log_ + at; }
  std::uint64_t in_session(std::uint64_t log) const noexcept {
    BL_ASSERT(log >= origin_log_);
    return log - origin_log_;
  }
  // The server has executed everything before this session.
  bool applied_known() const noexcept { return applied_log_ != 0 && applied_log_ >= origin_log_; }
  template <StreamLog Log>
  std::uint64_t applied(const Log& log) const noexcept;

  bool active_ = false;
  bool ack_now_ = false;
  std::uint64_t session_id_ = 0;
  Epoch epoch_;
  std::uint64_t origin_log_ = 0;
  std::uint64_t received_ = 0;  // linear: everything before it is in the log
  std::uint64_t heard_ns_ = 0;
  std::uint64_t synced_ = 0;
  std::uint64_t released_seen_ = 0;
  std::uint32_t peers_need_ = 0;
  std::uint64_t largest_packet_ = 0;
  std::uint64_t largest_packet_ns_ = 0;
  std::array<std::uint64_t, wire::kBitmapBits / 64> bitmap_{};
  std::uint64_t durable_acked_ = 0;
  std::uint64_t applied_log_ = 0;
  std::uint64_t applied_acked_ = 0;
  bool applied_known_acked_ = false;
  std::uint64_t window_sent_ = 0;
  std::uint64_t last_ack_ns_ = 0;
  std::uint32_t repeats_ = 0;
  std::uint64_t ack_number_ = 0;
  std::size_t slots_used_ = 0;
  std::uint32_t max_payload_;
  std::array<Slot, kReorderSlots> slots_{};
  std::vector<std::byte> slot_storage_;
  ReceiverCounters counters_;
};

template <StreamLog Log>
void ReceiverSession::start(std::uint64_t session_id, Epoch epoch, std::uint64_t origin_log,
                            const Log& log) noexcept {
  BL_ASSERT(session_id != 0);
  BL_ASSERT(log.end_log() >= origin_log && log.durable_log() == log.end_log());
  active_ = true;
  ack_now_ = false;
  session_id_ = session_id;
  epoch_ = epoch;
  origin_log_ = origin_log;
  received_ = durable_acked_ = in_session(log.end_log());
  synced_ = released_seen_ = applied_acked_ = 0;
  peers_need_ = 0;
  applied_known_acked_ = false;
  largest_packet_ = largest_packet_ns_ = 0;
  bitmap_ = {};
  window_sent_ = window_end(log);
  last_ack_ns_ = 0;
  repeats_ = kMaxAckRepeats;
  for (Slot& slot : slots_) slot.used = false;
  slots_used_ = 0;
}

template <StreamLog Log>
void ReceiverSession::on_data(const FrameView& frame, Log& log, std::uint64_t now_ns) noexcept {
  const bool same_session =
      BL_MUTANT(stale_session_data_accepted, true, frame.header.session_id == session_id_);
  const bool same_epoch = BL_MUTANT(stale_epoch_data_accepted, true, frame.epoch() == epoch_);
  if (!active_ || !same_session || !same_epoch) {
    ++counters_.stale;
    return;
  }
  Piece piece;
  ConstBytes payload;
  const std::uint64_t number = frame.header.packet_number;
  if (number == 0 || number > kOffsetLimit || !parse(frame, piece, payload)) {
    ++counters_.malformed;
    return;
  }
  ++counters_.frames;
  counters_.probes += (frame.header.flags & wire::kFlagProbe) != 0 ? 1 : 0;
  counters_.catch_up_frames += (frame.header.flags & wire::kFlagCatchUp) != 0 ? 1 : 0;
  heard_ns_ = now_ns;
  const auto body = body_as<wire::DataBody>(frame);
  // Every frame brings the marks again, so a mark that is too far ahead to be remembered counts
  // later.
  const std::uint64_t most = received_ + kMaxMarkLead;
  synced_ = std::max(synced_, std::min<std::uint64_t>(body.synced, most));
  released_seen_ = std::max(released_seen_, std::min<std::uint64_t>(body.released, most));
  // It may go back if another replica joins: the newest frame decides.
  if (number >= largest_packet_) peers_need_ = body.peers_need;
  if ((frame.header.flags & wire::kFlagAckNow) != 0) ack_now_ = true;
  if (is_noted(number)) {
    ++counters_.duplicates;
    ack_now_ = true;  // the source may not have our ACK
  } else if (piece.length == 0) {
    note_packet(number, now_ns);
  } else if (const Taken taken = take(piece, payload, log); taken != Taken::no) {
    if (taken == Taken::duplicate) ++counters_.duplicates;
    note_packet(number, now_ns);
    ack_now_ = true;
  }
}

template <StreamLog Log>
void ReceiverSession::poll(Log& log) noexcept {
  if (!active_) return;
  if (slots_used_ > 0) drain_slots(log);
  // Never beyond what the source says is on its own stable storage, whatever it released. [S9]
  log.release(in_log(
      BL_MUTANT(replica_trusts_released, released_seen_, std::min(released_seen_, synced_))));
}

template <StreamLog Log>
ReceiverSession::Taken ReceiverSession::take(const Piece& piece, ConstBytes payload,
                                             Log& log) noexcept {
  if (piece.end_offset() <= received_) return Taken::duplicate;
  if (piece.offset > received_) return keep(piece, payload);
  if (!append(piece, payload, log)) return Taken::no;
  if (slots_used_ > 0) drain_slots(log);
  return Taken::yes;
}

// Appends the part of `piece` that is new; its first unit is at or before received_.
template <StreamLog Log>
bool ReceiverSession::append(Piece piece, ConstBytes payload, Log& log) noexcept {
  const std::uint64_t known = received_ - piece.offset;
  BL_ASSERT(known < piece.length);
  if (piece.file_end) {
    if (log.end() != Position{piece.end.file, piece.end.final_size}) return contradict();
    if (!log.append_file_end(piece.end)) {
      ++counters_.dropped_no_room;
      return false;
    }
  } else {
    piece.at.offset += known;
    payload = payload.subspan(known);
    if (log.end() != piece.at) return contradict();
    if (!log.append(piece.at, payload)) {
      ++counters_.dropped_no_room;
      return false;
    }
  }
  received_ += piece.length - known;
  counters_.bytes += piece.length - known;
  BL_ASSERT(log.end_log() == in_log(received_));
  return true;
}

template <StreamLog Log>
void ReceiverSession::drain_slots(Log& log) noexcept {
  // Each pass either appends a kept piece or ends, so there are at most as many passes as pieces.
  for (bool progress = true; progress && slots_used_ > 0;) {
    progress = false;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      Slot& slot = slots_[i];
      if (!slot.used || slot.piece.offset > received_) continue;
      const bool old = slot.piece.end_offset() <= received_;
      const ConstBytes bytes = ConstBytes(slot_bytes(i)).first(slot.piece.byte_count());
      if (!old && !append(slot.piece, bytes, log)) {
        // It was reported as arrived, so the source will not send it again: it is kept until poll()
        // finds room.
        return;
      }
      BL_ASSERT(slot.piece.end_offset() <= received_);
      slot.used = false;
      --slots_used_;
      progress = true;
    }
  }
}

template <StreamLog Log>
std::uint64_t ReceiverSession::window_end(const Log& log) const noexcept {
  return received_ + std::uint64_t{log.free_blocks()} * kWindowBytesPerBlock;
}

// If a server is ahead of this journal (it was copied from another host), the mark counts up to the
// journal's end.
template <StreamLog Log>
std::uint64_t ReceiverSession::applied(const Log& log) const noexcept {
  const std::uint64_t until = std::min(applied_log_, log.durable_log());
  return BL_MUTANT(applied_unasked, in_session(log.durable_log()),
                   applied_known() ? std::max(in_session(until), applied_acked_) : 0);
}

template <StreamLog Log>
bool ReceiverSession::ack_due(const Log& log, std::uint64_t now_ns) const noexcept {
  if (!active_) return false;
  if (ack_now_ || in_session(log.durable_log()) != durable_acked_) return true;
  if (applied(log) != applied_acked_ || applied_known() != applied_known_acked_) return true;
  // A source waits for the news that a closed window has opened again.
  const std::uint64_t step = std::uint64_t{log.block_count()} * kWindowBytesPerBlock / kWindowSteps;
  if (window_sent_ < received_ + step && window_end(log) >= window_sent_ + step) return true;
  if (repeats_ >= kMaxAckRepeats || released_seen_ >= durable_acked_) return false;
  return BL_MUTANT(ack_repeats_forgotten, false,
                   now_ns - last_ack_ns_ >= kFirstAckRepeatNs << repeats_);
}

template <StreamLog Log>
wire::AckBody ReceiverSession::make_ack(const Log& log, std::uint16_t state,
                                        std::uint64_t now_ns) noexcept {
  const std::uint64_t durable = in_session(log.durable_log());
  const std::uint64_t applied = this->applied(log);
  const bool known = applied_known();
  BL_ASSERT(active_ && applied <= durable);
  const bool news = ack_now_ || durable != durable_acked_ || applied != applied_acked_ ||
                    known != applied_known_acked_;
  BL_ASSERT(durable >= durable_acked_ && durable <= received_);  // I2, I5
  repeats_ = news ? 0 : repeats_ + 1;
  if (!news) ++counters_.ack_repeats;
  ++counters_.acks;
  ack_now_ = false;
  durable_acked_ = durable;
  applied_acked_ = applied;
  applied_known_acked_ = known;
  last_ack_ns_ = now_ns;
  window_sent_ = std::max(window_sent_, window_end(log));

  wire::AckBody ack;
  ack.received = BL_MUTANT(received_jumps_gap, received_ + slots_used_, received_);
  ack.durable = durable;
  ack.applied = applied;
  ack.released_seen = released_seen_;
  ack.window_end = window_sent_;
  ack.largest_packet = largest_packet_;
  std::memcpy(ack.bitmap, bitmap_.data(), sizeof ack.bitmap);
  const std::uint64_t delay = now_ns - largest_packet_ns_;
  ack.ack_delay_ns = static_cast<std::uint32_t>(std::min<std::uint64_t>(delay, UINT32_MAX));
  ack.state = static_cast<std::uint16_t>(state | (known ? wire::kStateAppliedKnown : 0));
  return ack;
}

}  // namespace binlane
