// SourceCycle: the duty cycle of a source's lane.
//
//   binlog file → tailer → sender sessions → ports → … replicas … → ports → gate → the server's
//   semi-sync
//
// One turn does everything that can be done now and never waits. Template over the ports, the
// stream (tailer and reader) and the server's side, so that the simulator runs this very code.
// Owned by the lane's thread. The control thread uses queues, and LaneQuiesce when it has to reset
// the cycle.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <variant>

#include "base/assert.h"
#include "base/clock.h"
#include "base/mutant.h"
#include "dataplane/lane/data_sender.h"
#include "dataplane/lane/mark_pace.h"
#include "dataplane/lane/quorum_marks.h"
#include "dataplane/lane/release_marks.h"
#include "dataplane/lane/shown_marks.h"
#include "dataplane/lane/source_parts.h"
#include "dataplane/lane/source_peer.h"
#include "dataplane/lane/source_queues.h"
#include "dataplane/port/port.h"
#include "dataplane/session/hello.h"
#include "dataplane/session/peer_list.h"
#include "dataplane/session/quorum_gate.h"

namespace binlane {

template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
class SourceCycle {
 public:
  // `peers`: the hosts that the lane hears.
  SourceCycle(std::span<P* const> ports, Stream& stream, Server& server, C& clock,
              SourceLaneQueues& queues, const PeerList& peers) noexcept
      : ports_(ports),
        stream_(stream),
        server_(server),
        clock_(clock),
        queues_(queues),
        heard_(peers),
        sender_(ports, stream, marks_, peers_) {}

  // One turn. Returns how much was done: 0 means the lane may idle. Lane's thread only.
  std::size_t do_work() noexcept {
    if (queues_.pause.stand()) return 0;
    std::uint64_t now_ns = clock_.now_ns();
    std::size_t work = take_commands(now_ns);
    work += tail(now_ns);
    move_synced();
    move_released(now_ns);
    work += send(now_ns);
    // Nothing below sends: new bytes are on their way before anything else is done.
    for (P* port : ports_) port->flush();
    // An answer may have arrived already, and must not seem older than what it answers.
    now_ns = sender_.note_sent(queues_.stages, clock_, now_ns);
    work += receive(now_ns);
    work += acknowledge(now_ns);
    publish(work, now_ns);
    return work;
  }

  // Event groups that the last turn found in the binlog.
  std::size_t batch() const noexcept { return batch_; }

  // While the lane is quiesced (LaneQuiesce): forget all sessions, marks and the stream's
  // coordinates.
  void rebuild(Epoch epoch, const QuorumRule& rule) noexcept {
    BL_ASSERT(queues_.pause.is_requested());
    for (SourcePeer& peer : peers_) peer = {};
    epoch_ = epoch;
    gate_.reset(0);
    gate_.set_rule(rule);
    // No thread has told this incarnation to release without a quorum.
    if (marks_.degraded()) server_.resume();
    marks_.reset();
    acknowledged_.reset();
    synced_at_ = {};
    synced_pending_ = false;
    shown_.forget_places();
    shown_.peers_need = 0;
    stream_stopped_ = false;
    pace_.note_change();
    queues_.stages.restart();
  }

 private:
  std::size_t take_commands(std::uint64_t now_ns) noexcept;
  void carry_out(const StartSession& command, std::uint64_t now_ns) noexcept;
  void carry_out(const StopSession& command, std::uint64_t now_ns) noexcept;
  void carry_out(const SetRule& command, std::uint64_t now_ns) noexcept;
  void carry_out(const SetDegraded& command, std::uint64_t now_ns) noexcept;
  void carry_out(const SetSynced& command, std::uint64_t now_ns) noexcept;
  void carry_out(const SetExposureKnown& command, std::uint64_t now_ns) noexcept;
  void carry_out(const SetSlow& command, std::uint64_t now_ns) noexcept;
  void stop_session(std::uint32_t replica) noexcept;
  void lose_session(std::uint32_t replica, SourceEvent::Kind why, int error) noexcept;
  std::size_t tail(std::uint64_t now_ns) noexcept;
  std::size_t send(std::uint64_t now_ns) noexcept;
  std::size_t receive(std::uint64_t now_ns) noexcept;
  void on_frame(std::uint32_t port, const Datagram& datagram, std::uint64_t now_ns) noexcept;
  void on_ack(std::uint32_t port, const Endpoint& from, const FrameView& frame,
              std::uint64_t now_ns) noexcept;
  std::size_t acknowledge(std::uint64_t now_ns) noexcept;
  void move_synced() noexcept;
  void move_released(std::uint64_t now_ns) noexcept;
  void report(const SourceEvent& event) noexcept {
    static_cast<void>(queues_.events.try_push(event));  // the queue counts what it cannot take
  }
  void publish(std::size_t work, std::uint64_t now_ns) noexcept;

  std::span<P* const> ports_;
  Stream& stream_;
  Server& server_;
  C& clock_;
  SourceLaneQueues& queues_;
  const PeerList heard_;
  Epoch epoch_;
  QuorumGate gate_;
  ReleaseMarks marks_;
  // What control said. It may be beyond what this lane has read: then it is still pending.
  Position synced_at_;
  bool synced_pending_ = false;
  QuorumMarks acknowledged_;
  std::size_t batch_ = 0;
  bool stream_stopped_ = false;
  SourcePeers peers_{};
  DataSender<P, Stream> sender_;
  MarkPace pace_;
  // Cold. What is taken from queues is large, so it is not constructed anew in every turn.
  SourceCommand command_;
  HelloMessage hello_;
  ShownMarks shown_;
};

template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
std::size_t SourceCycle<P, Stream, Server, C>::take_commands(std::uint64_t now_ns) noexcept {
  std::size_t work = 0;
  while (work < kLaneQueue && queues_.commands.try_pop(command_)) {
    std::visit([&](const auto& command) { carry_out(command, now_ns); }, command_);
    ++work;
  }
  for (std::size_t i = 0; i < kHelloQueue && queues_.hello_out.try_pop(hello_); ++i, ++work) {
    const HelloMessage& hello = hello_;
    BL_ASSERT(hello.port < ports_.size() && hello.length <= hello.bytes.size());
    const MutableBytes buffer = ports_[hello.port]->tx_buffer();
    if (buffer.size() < hello.length)
      continue;  // counted by the port; the handshake repeats itself
    std::copy_n(hello.bytes.begin(), hello.length, buffer.begin());
    ports_[hello.port]->tx_commit(hello.peer, hello.length);
  }
  return work;
}

template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
void SourceCycle<P, Stream, Server, C>::carry_out(const StartSession& command,
                                                  std::uint64_t now_ns) noexcept {
  BL_ASSERT(command.replica < kMaxReplicas && command.port < ports_.size());
  BL_ASSERT(command.session_id != 0);
  if (command.epoch != epoch_) return;  // agreed on before the incarnation changed: already over
  SourcePeer& peer = peers_[command.replica];
  // If control has not stopped the last session: the gate must not count it any more.
  peer.session.stop();
  if (!gate_.connect(command.replica, command.journal_id)) {
    report({SourceEvent::Kind::session_duplicate, command.replica, 0});
    return;
  }
  peer.port = command.port;
  peer.endpoint = command.peer;
  peer.origin = command.origin;
  marks_.begin_session(command.replica);
  SenderSession::Start start;
  start.session_id = command.session_id;
  start.epoch = epoch_;
  start.durable = command.durable;
  start.window_end = command.window_end;
  start.max_payload =
      static_cast<std::uint32_t>(ports_[command.port]->max_payload() - wire::kDataOverhead);
  start.now_ns = now_ns;
  const std::uint64_t durable = peer.in_stream(command.durable);
  BL_ASSERT(durable <= stream_.written());
  peer.session.start(start);
  queues_.stages.restart(command.replica);
  gate_.update(command.replica, durable, durable, 0);
}

template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
void SourceCycle<P, Stream, Server, C>::carry_out(const StopSession& command,
                                                  std::uint64_t /*now_ns*/) noexcept {
  BL_ASSERT(command.replica < kMaxReplicas);
  stop_session(command.replica);
}

template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
void SourceCycle<P, Stream, Server, C>::carry_out(const SetRule& command,
                                                  std::uint64_t /*now_ns*/) noexcept {
  gate_.set_rule(command.rule);
}

template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
void SourceCycle<P, Stream, Server, C>::carry_out(const SetDegraded& command,
                                                  std::uint64_t /*now_ns*/) noexcept {
  if (command.degraded) {
    server_.pause();
    marks_.begin_degraded(command.exposure, command.hold);
  } else if (marks_.degraded()) {
    server_.resume();
    marks_.end_degraded();
  }
}

template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
void SourceCycle<P, Stream, Server, C>::carry_out(const SetSynced& command,
                                                  std::uint64_t /*now_ns*/) noexcept {
  synced_at_ = std::max(synced_at_, command.synced);
  synced_pending_ = true;
}

template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
void SourceCycle<P, Stream, Server, C>::carry_out(const SetExposureKnown& command,
                                                  std::uint64_t /*now_ns*/) noexcept {
  BL_ASSERT(command.replica < kMaxReplicas);
  // What it said in a session that is over says nothing of this one.
  if (peers_[command.replica].session.session_id() == command.session_id)
    marks_.set_exposure_known(command.replica, command.exposure);
}

template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
void SourceCycle<P, Stream, Server, C>::carry_out(const SetSlow& command,
                                                  std::uint64_t /*now_ns*/) noexcept {
  gate_.set_slow(command.slow);
}

template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
void SourceCycle<P, Stream, Server, C>::stop_session(std::uint32_t replica) noexcept {
  peers_[replica].session.stop();
  gate_.disconnect(replica);
}

template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
void SourceCycle<P, Stream, Server, C>::lose_session(std::uint32_t replica, SourceEvent::Kind why,
                                                     int error) noexcept {
  stop_session(replica);
  report({why, replica, error});
}

template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
std::size_t SourceCycle<P, Stream, Server, C>::tail(std::uint64_t now_ns) noexcept {
  batch_ = 0;
  if (stream_stopped_) return 0;
  const std::uint64_t before = stream_.written();
  const std::uint64_t looked_ns = stream_.all_read_ns();
  const std::uint64_t groups = stream_.groups();
  if (!stream_.poll(now_ns)) {
    stream_stopped_ = true;
    report({SourceEvent::Kind::stream_stopped, 0, 0});
  }
  BL_ASSERT(stream_.written() >= before);
  BL_ASSERT(stream_.group_end() <= stream_.written());
  batch_ = static_cast<std::size_t>(stream_.groups() - groups);
  if (stream_.written() == before) return 0;
  queues_.stages.on_written(stream_.written(), stream_.position_of(stream_.written()), looked_ns,
                            now_ns);
  return 1;
}

template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
std::size_t SourceCycle<P, Stream, Server, C>::send(std::uint64_t now_ns) noexcept {
  const FrameContext context{epoch_, shown_.peers_need, now_ns};
  std::size_t frames = 0;
  for (std::uint32_t i = 0; i < kMaxReplicas; ++i) {
    if (!peers_[i].session.active()) continue;
    // Whoever is sent anything counts in the gate, which counts a journal once. [S4]
    BL_ASSERT((gate_.connected() >> i & 1U) != 0);
    frames += sender_.send_to(
        i, context, [&](SourceEvent::Kind why, int error) { lose_session(i, why, error); });
  }
  return frames;
}

template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
std::size_t SourceCycle<P, Stream, Server, C>::receive(std::uint64_t now_ns) noexcept {
  std::size_t frames = 0;
  for (std::uint32_t i = 0; i < ports_.size(); ++i) {
    for (const Datagram& datagram : ports_[i]->rx()) {
      on_frame(i, datagram, now_ns);
      ++frames;
    }
  }
  return frames;
}

template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
void SourceCycle<P, Stream, Server, C>::on_frame(std::uint32_t port, const Datagram& datagram,
                                                 std::uint64_t now_ns) noexcept {
  if (!heard_.hears(port, datagram.from)) {
    ++shown_.unknown_peers;
    shown_.unknown_peer = datagram.from;
    return;
  }
  FrameView frame;
  if (decode(datagram.payload, frame) != FrameFault::none) {
    ++shown_.frame_faults;
    return;
  }
  if (frame.type() == wire::Type::ack) {
    on_ack(port, datagram.from, frame, now_ns);
  } else if (frame.type() == wire::Type::hello_ack || frame.type() == wire::Type::exposed_ack) {
    HelloMessage hello;
    const std::size_t length = sizeof(wire::Header) + frame.body.size();
    const bool taken = fill_hello(hello, port, datagram.from, datagram.payload.first(length)) &&
                       queues_.hello_in.try_push(hello);
    if (!taken) ++shown_.hellos_lost;
  } else {
    ++shown_.unknown_frames;
  }
}

template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
void SourceCycle<P, Stream, Server, C>::on_ack(std::uint32_t port, const Endpoint& from,
                                               const FrameView& frame,
                                               std::uint64_t now_ns) noexcept {
  const auto ack = body_as<wire::AckBody>(frame);
  for (std::uint32_t i = 0; i < kMaxReplicas; ++i) {
    SourcePeer& peer = peers_[i];
    if (!peer.session.active() || peer.session.session_id() != frame.header.session_id) continue;
    // Another peer's address says nothing about this one's disk.
    const bool its_own =
        BL_MUTANT(foreign_ack_taken, true, (port == peer.port && from == peer.endpoint));
    if (!its_own) break;
    if (!peer.session.on_ack(frame.header.session_id, frame.epoch(), ack, now_ns)) return;
    const bool failed = (ack.state & wire::kStateJournalFailed) != 0;
    if (BL_MUTANT(failed_journal_counted, false, failed)) {
      gate_.exclude(i);
      lose_session(i, SourceEvent::Kind::journal_failed, 0);
      return;
    }
    // The session has passed over an ACK that claims more than it sent.
    BL_ASSERT(peer.durable() <= peer.received() && peer.received() <= stream_.written());
    gate_.update(i, peer.received(), peer.durable(), peer.applied());
    queues_.stages.on_received(i, peer.received(), now_ns);
    queues_.stages.on_durable(i, peer.durable(), ack.queue_ns, ack.disk_ns, now_ns);
    return;
  }
  ++shown_.unknown_frames;
}

template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
std::size_t SourceCycle<P, Stream, Server, C>::acknowledge(std::uint64_t now_ns) noexcept {
  if (acknowledged_.advance(gate_.quorum(), stream_))
    queues_.stages.on_quorum(acknowledged_.quorum(), now_ns);
  // A position of this stream means other bytes in the next one. [S16]
  if (BL_MUTANT(acked_behind_reset, false, !stream_.settled())) return 0;
  return server_.poll(acknowledged_.told_at());
}

// `synced` never exceeds `written`. What is beyond counts as soon as the tailer has seen it: the
// last position before an idle time must not wait until control says it again.
template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
void SourceCycle<P, Stream, Server, C>::move_synced() noexcept {
  if (!synced_pending_) return;
  marks_.raise_synced(std::min(stream_.linear_of(synced_at_), stream_.written()));
  synced_pending_ = stream_.position_of(marks_.synced()) < synced_at_;
  BL_ASSERT(marks_.synced() <= stream_.written());
}

// Called every turn, before send(): the durable quorum moves on its own if the rule's level is
// another one. [S9]
template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
void SourceCycle<P, Stream, Server, C>::move_released(std::uint64_t now_ns) noexcept {
  const std::uint64_t quorum =
      BL_MUTANT(released_at_rule_level, gate_.quorum(), gate_.durable_quorum());
  if (marks_.advance(quorum)) queues_.stages.on_released(marks_.released(), now_ns);
  BL_ASSERT(marks_.covered() <= marks_.synced());
  BL_ASSERT(marks_.released() <= stream_.written());
}

template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
void SourceCycle<P, Stream, Server, C>::publish(std::size_t work, std::uint64_t now_ns) noexcept {
  ++shown_.turns;
  if (!pace_.due(work, now_ns)) return;
  shown_.epoch = epoch_;
  shown_.at_ns = now_ns;
  shown_.show(stream_, marks_, gate_, acknowledged_);
  shown_.show(stream_, peers_);
  queues_.marks.store(shown_);
}

}  // namespace binlane
