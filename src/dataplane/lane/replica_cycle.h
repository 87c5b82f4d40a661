// ReplicaCycle: the duty cycle of a replica's lane.
//
//
//   … source … → port → receiver session → journal → disk → (completion) → ACK → port → … source …
//
// One turn does everything that can be done now and never waits. A write's completion and the ACK
// that reports it belong to the same turn. Template over Port, Disk, journal and Clock, so that the
// simulator runs this very code. Owned by the lane's thread; control and archive use queues.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/assert.h"
#include "base/clock.h"
#include "dataplane/lane/mark_pace.h"
#include "dataplane/lane/replica_queues.h"
#include "dataplane/lane/write_timer.h"
#include "dataplane/port/port.h"
#include "dataplane/session/hello.h"
#include "dataplane/session/peer_list.h"
#include "dataplane/session/receiver_session.h"
#include "dataplane/session/replica_handshake.h"
#include "storage/journal/disk.h"

namespace binlane {

// What the cycle needs of the journal in addition to what sessions and handshake need: writes that
// the disk understands, and the marks that it exchanges with the archive.
template <class L, class D>
concept WritableLog = MatchableLog<L> &&
    requires(L log, const L& view, D disk, std::uint64_t sequence) {
  {disk.submit(*log.next_write())};
  { view.release_mark().covers_same_as(view.release_mark()) } -> std::same_as<bool>;
  {log.on_archived(sequence)};
};

template <Port P, class D, WritableLog<D> Log, Clock C>
class ReplicaCycle {
 public:
  using ReleaseMarkType = std::remove_cvref_t<decltype(std::declval<const Log&>().release_mark())>;
  using Queues = ReplicaLaneQueues<ReleaseMarkType>;

  // `sources`: the hosts that the lane hears.
  ReplicaCycle(P& port, D& disk, Log& journal, C& clock, Queues& queues, std::uint64_t cluster_id,
               std::string_view replica_name, const PeerList& sources)
      : port_(port),
        disk_(disk),
        journal_(journal),
        clock_(clock),
        queues_(queues),
        session_(kMaxFramePayload),
        handshake_(cluster_id, replica_name),
        heard_(sources) {}

  // One turn. Returns how much was done: 0 means the lane may idle. Lane's thread only.
  std::size_t do_work() noexcept {
    if (queues_.pause.stand()) return 0;
    const std::uint64_t now_ns = clock_.now_ns();
    std::size_t work = take_completions(now_ns);
    const std::uint64_t end_before = journal_.end_log();
    work += receive(now_ns);
    session_.poll(journal_);
    if (journal_.end_log() > end_before) write_clock_.on_arrival(now_ns);
    // The source is told what has arrived, and what is durable, before a new write is handed over.
    work += acknowledge(now_ns);
    port_.flush();
    work += write();
    work += exchange_with_archive();
    work += shake_hands();
    publish(work, now_ns);
    return work;
  }

  // Frames that the last turn brought, plus one if they found a write in flight: then commits come
  // faster than one by one.
  std::size_t batch() const noexcept { return batch_; }

  // While the lane is quiesced (LaneQuiesce): no source is served any more.
  void end_session() noexcept {
    BL_ASSERT(queues_.pause.is_requested());
    session_.stop();
    handshake_.reset();
    pace_.note_change();
  }
  // While the lane is quiesced: another archive is used from now on.
  void forget_archive() noexcept {
    BL_ASSERT(queues_.pause.is_requested());
    mark_sent_ = {};
    session_.forget_marks();
    handshake_.forget_safe();
  }

 private:
  std::size_t take_completions(std::uint64_t now_ns) noexcept;
  std::size_t receive(std::uint64_t now_ns) noexcept;
  void on_frame(const Datagram& datagram, std::uint64_t now_ns) noexcept;
  std::size_t write() noexcept;
  std::size_t exchange_with_archive() noexcept;
  std::size_t shake_hands() noexcept;
  void send_hello(const HelloMessage& message) noexcept;
  // What only the source of the running session may tell control.
  bool is_of_session(const Endpoint& from, const FrameView& frame) const noexcept {
    return frame.type() == wire::Type::exposed && session_.active() && from == source_ &&
           frame.header.session_id == session_.session_id() && frame.epoch() == session_.epoch();
  }
  std::size_t acknowledge(std::uint64_t now_ns) noexcept;
  std::uint16_t state() const noexcept {
    return static_cast<std::uint16_t>(queues_.state.load(std::memory_order_relaxed) |
                                      (journal_.failed() ? wire::kStateJournalFailed : 0));
  }
  void publish(std::size_t work, std::uint64_t now_ns) noexcept;

  P& port_;
  D& disk_;
  Log& journal_;
  C& clock_;
  Queues& queues_;
  ReceiverSession session_;
  ReplicaHandshake handshake_;
  WriteTimer write_clock_;
  PeerList heard_;
  Endpoint source_;  // of the session
  std::size_t batch_ = 0;
  bool failure_told_ = false;
  ReleaseMarkType mark_sent_{};
  // Cold.
  MarkPace pace_;
  HelloMessage reply_;
  AdmittedHello admitted_;
  ReplicaLaneMarks shown_;
};

template <Port P, class D, WritableLog<D> Log, Clock C>
std::size_t ReplicaCycle<P, D, Log, C>::take_completions(std::uint64_t now_ns) noexcept {
  std::array<DiskCompletion, kMaxWritesInFlight> completions;
  const std::size_t count = disk_.reap(completions);
  BL_ASSERT(count <= completions.size());
  for (std::size_t i = 0; i < count; ++i) {
    journal_.on_completion(completions[i]);
    write_clock_.on_completed(completions[i].id, now_ns);
  }
  return count;
}

template <Port P, class D, WritableLog<D> Log, Clock C>
std::size_t ReplicaCycle<P, D, Log, C>::receive(std::uint64_t now_ns) noexcept {
  // One list a turn: the one that came last is used within a few turns.
  static_cast<void>(queues_.peers.try_pop(heard_));
  const auto datagrams = port_.rx();
  batch_ = datagrams.empty() ? 0 : datagrams.size() + (journal_.idle() ? 0 : 1);
  for (std::size_t i = 0; i < datagrams.size(); ++i) {
    // The other core has just written it: it is transferred while the previous frame is processed.
    if (i + 1 < datagrams.size()) prefetch(datagrams[i + 1].payload);
    on_frame(datagrams[i], now_ns);
  }
  return datagrams.size();
}

template <Port P, class D, WritableLog<D> Log, Clock C>
void ReplicaCycle<P, D, Log, C>::on_frame(const Datagram& datagram, std::uint64_t now_ns) noexcept {
  if (!heard_.hears(0, datagram.from)) {
    ++shown_.unknown_peers;
    shown_.unknown_peer = datagram.from;
    return;
  }
  FrameView frame;
  if (decode(datagram.payload, frame) != FrameFault::none) {
    ++shown_.frame_faults;
    return;
  }
  if (frame.type() == wire::Type::data) {
    if (handshake_.settling()) return;
    // The journal counts what it takes to the epoch that is on record in it. [I3, S11]
    BL_ASSERT(!session_.active() || session_.epoch() == journal_.epoch());
    // Another source's address has no part in this session.
    if (session_.active() && datagram.from != source_) {
      ++shown_.unknown_frames;
      return;
    }
    session_.on_data(frame, journal_, now_ns);
  } else if (frame.type() == wire::Type::hello || is_of_session(datagram.from, frame)) {
    HelloMessage hello;
    const std::size_t length = sizeof(wire::Header) + frame.body.size();
    const bool taken = fill_hello(hello, 0, datagram.from, datagram.payload.first(length)) &&
                       queues_.hello_in.try_push(hello);
    if (!taken) ++shown_.hellos_lost;
  } else {
    ++shown_.unknown_frames;
  }
}

template <Port P, class D, WritableLog<D> Log, Clock C>
std::size_t ReplicaCycle<P, D, Log, C>::write() noexcept {
  std::size_t writes = 0;
  std::uint32_t first_id = 0;
  while (writes < kMaxWritesInFlight) {
    const auto next = journal_.next_write();
    if (!next) break;
    if (writes == 0) first_id = next->id;
    BL_ASSERT(next->length > 0 && next->length % kSectorSize == 0);
    BL_ASSERT(next->offset % kSectorSize == 0);
    disk_.submit(*next);
    ++writes;
  }
  if (writes > 0) write_clock_.on_submitted(first_id, writes, clock_.now_ns());
  shown_.writes += writes;
  return writes;
}

template <Port P, class D, WritableLog<D> Log, Clock C>
std::size_t ReplicaCycle<P, D, Log, C>::exchange_with_archive() noexcept {
  std::size_t work = 0;
  const ReleaseMarkType& mark = journal_.release_mark();
  if (!mark.covers_same_as(mark_sent_)) {
    // The mark is cumulative: if the queue is full, a later turn's mark covers it.
    if (queues_.released.try_push(mark)) {
      mark_sent_ = mark;
      ++work;
    }
  }
  std::uint64_t sequence = 0;
  for (std::size_t i = 0; i < kArchiveQueue && queues_.archived.try_pop(sequence); ++i, ++work)
    journal_.on_archived(sequence);
  return work;
}

template <Port P, class D, WritableLog<D> Log, Clock C>
std::size_t ReplicaCycle<P, D, Log, C>::shake_hands() noexcept {
  std::size_t work = 0;
  // While writes of an older session are waited for, there is no session. [S1]
  BL_ASSERT(!handshake_.settling() || !session_.active());
  // What is committed here leaves with the next turn.
  if (queues_.admitted.try_pop(admitted_)) {
    ++work;
    if (handshake_.on_hello(admitted_, journal_, session_, state(), reply_)) send_hello(reply_);
  }
  if (handshake_.settling() && handshake_.poll(journal_, session_, state(), reply_)) {
    BL_ASSERT(!handshake_.settling());
    source_ = reply_.peer;
    session_.note_heard(clock_.now_ns());
    send_hello(reply_);
    ++work;
  }
  for (std::size_t i = 0; i < kReplicaHelloQueue && queues_.answers.try_pop(reply_); ++i, ++work)
    send_hello(reply_);
  return work;
}

template <Port P, class D, WritableLog<D> Log, Clock C>
void ReplicaCycle<P, D, Log, C>::send_hello(const HelloMessage& message) noexcept {
  const MutableBytes buffer = port_.tx_buffer();
  if (buffer.size() < message.length) return;  // counted by the port; the source asks again
  std::copy_n(message.bytes.begin(), message.length, buffer.begin());
  port_.tx_commit(message.peer, message.length);
}

template <Port P, class D, WritableLog<D> Log, Clock C>
std::size_t ReplicaCycle<P, D, Log, C>::acknowledge(std::uint64_t now_ns) noexcept {
  // A failed journal is reported at once, and again whenever the source asks for an ACK.
  session_.note_applied(queues_.applied_log.load(std::memory_order_relaxed));
  const bool failure_untold = session_.active() && journal_.failed() && !failure_told_;
  if (!session_.ack_due(journal_, now_ns) && !failure_untold) return 0;
  const MutableBytes buffer = port_.tx_buffer();
  if (buffer.size() < sizeof(wire::Header) + sizeof(wire::AckBody))
    return 0;  // due again next turn
  wire::AckBody ack = session_.make_ack(journal_, state(), now_ns);
  ack.queue_ns = write_clock_.queue_ns();
  ack.disk_ns = write_clock_.disk_ns();
  // Nothing is told to be durable that has not arrived, and nothing in another epoch. [I2, I3]
  BL_ASSERT(ack.durable <= ack.received);
  BL_ASSERT(session_.origin_log() + ack.durable <= journal_.end_log());
  BL_ASSERT(session_.epoch() == journal_.epoch());
  failure_told_ = journal_.failed();
  std::memcpy(buffer.data() + sizeof(wire::Header), static_cast<const void*>(&ack), sizeof ack);
  FrameTags tags;
  tags.type = wire::Type::ack;
  tags.session_id = session_.session_id();
  tags.epoch = session_.epoch();
  tags.packet_number = session_.next_packet_number();
  port_.tx_commit(source_, finish_frame(buffer, tags, sizeof ack));
  return 1;
}

template <Port P, class D, WritableLog<D> Log, Clock C>
void ReplicaCycle<P, D, Log, C>::publish(std::size_t work, std::uint64_t now_ns) noexcept {
  ++shown_.turns;
  if (!pace_.due(work, now_ns)) return;
  BL_ASSERT(journal_.durable_log() <= journal_.end_log());
  BL_ASSERT(journal_.released_log() <= journal_.end_log());
  BL_ASSERT(journal_.free_blocks() <= journal_.block_count());
  shown_.connected = session_.active();
  shown_.session_id = session_.session_id();
  shown_.heard_ns = session_.heard_ns();
  shown_.epoch = journal_.epoch();
  shown_.source = source_;
  shown_.received = journal_.end();
  shown_.durable = journal_.durable();
  shown_.released = journal_.released();
  shown_.durable_log = journal_.durable_log();
  shown_.end_log = journal_.end_log();
  shown_.released_log = journal_.released_log();
  shown_.free_blocks = journal_.free_blocks();
  shown_.block_count = journal_.block_count();
  shown_.failure = journal_.failure();
  shown_.receiver = session_.counters();
  shown_.peers_need = session_.active() ? session_.peers_need() : 0;
  queues_.marks.store(shown_);
}

}  // namespace binlane
