// SourceCycle: the duty cycle of a source's lane.
//
//   binlog file → tailer → sender sessions → ports → … replicas … → ports → gate → the server's
//   semi-sync
//
// One turn does everything that can be done now and never waits. Template over the ports, the
// stream (tailer and reader) and the server's side, so that the simulator runs this very code.
// Owned by the lane's thread; the control thread reaches it through queues, and through LanePause
// when it has to rebuild.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <span>
#include <utility>

#include "base/assert.h"
#include "base/canary.h"
#include "base/clock.h"
#include "base/file_end.h"
#include "base/spsc_queue.h"
#include "dataplane/hello.h"
#include "dataplane/lane_pause.h"
#include "dataplane/peer_list.h"
#include "dataplane/port.h"
#include "dataplane/quorum_gate.h"
#include "dataplane/sender_session.h"
#include "dataplane/seqlock.h"
#include "dataplane/stage_clock.h"

namespace binlane {

// A stretch of the stream, as the reader gives it.
struct StreamPiece {
  Position at;
  std::uint32_t length = 0;  // bytes, or 1 for a file's end
  bool file_end = false;
  FileEnd end;
};

// What the cycle needs of the source's binlog. Offsets are the stream map's linear ones.
template <class S>
concept BinlogStream = requires(S stream, const S& view, std::uint64_t at, MutableBytes out,
                                StreamPiece& piece, const Position& position) {
  // Behind the last whole event group that was read.
  { view.group_end() } -> std::same_as<std::uint64_t>;
  // Event groups seen so far: how many come at once tells a crowd from a lone client.
  { view.groups() } -> std::same_as<std::uint64_t>;
  // Looks for new bytes. False once the stream cannot go on as it is (restart, RESET, error):
  // control decides.
  { stream.poll(at) } -> std::same_as<bool>;
  // What the server writes now is known to be this stream's.
  { view.settled() } -> std::same_as<bool>;
  { view.written() } -> std::same_as<std::uint64_t>;
  // Everything that the server had written by then lies before written().
  { view.all_read_ns() } -> std::same_as<std::uint64_t>;
  // Reads up to out.size() bytes at `at`; 0, or the errno that says why not (ENOENT: purged).
  { stream.read(at, out, piece) } -> std::same_as<int>;
  // Null: in a file that was purged since.
  { view.position_of(at) } -> std::same_as<Position>;
  { view.linear_of(position) } -> std::same_as<std::uint64_t>;  // clamped to the stream
};

// What the cycle needs of the hosting server's shim.
template <class S>
concept SemiSyncServer = requires(S server, const Position& quorum) {
  // Every turn: a quorum has everything before `quorum` (null: nothing yet in this incarnation).
  // Tells the server when that is news, and again for the exact position that it asks for. Never
  // blocks. Returns the work done.
  { server.poll(quorum) } -> std::convertible_to<std::size_t>;
  // Semi-sync is off in the server: it reads no ACKs.
  {server.pause()};
  // It is on again, and has forgotten what it was told.
  {server.resume()};
};

struct SourceCommand {
  enum class Kind : std::uint8_t {
    start_session,
    stop_session,
    set_rule,
    set_degraded,
    set_synced,
    set_exposure_known,
    set_slow
  };
  Kind kind = Kind::stop_session;
  std::uint32_t replica = 0;  // index
  std::uint32_t port = 0;
  Endpoint peer;
  Epoch epoch;
  std::uint64_t session_id = 0;
  std::uint64_t origin = 0;
  std::uint64_t durable = 0;
  std::uint64_t window_end = 0;
  Uuid journal_id;
  QuorumRule rule;
  bool degraded = false;
  // set_degraded: replicas that know this list of exposures or a later one are told of what is
  // released (control/exposure_desk.h), as long as they need not hold it. set_exposure_known: the
  // replica's session knows it.
  std::uint64_t exposure = 0;
  bool hold = false;
  Position synced;
  ReplicaSet slow = 0;
};

struct SourceEvent {
  enum class Kind : std::uint8_t {
    session_lost,
    session_purged,
    session_duplicate,
    stream_stopped,
    journal_failed
  };
  Kind kind = Kind::session_lost;
  std::uint32_t replica = 0;
  std::int32_t error = 0;
};

// What the lane shows of one replica.
struct ReplicaMarks {
  bool connected = false;
  std::uint16_t state = 0;
  std::uint64_t received = 0;  // stream map's linear
  std::uint64_t durable = 0;
  std::uint64_t applied = 0;  // 0: unknown
  Position received_at;
  Position durable_at;
  Position applied_at;
  std::uint64_t rtt_ns = 0;
  SenderCounters counters;
};

struct SourceMarks {
  Epoch epoch;              // the incarnation that all marks belong to
  std::uint64_t at_ns = 0;  // when the lane looked
  // Everything that the server had written by then lies before `written`. A lane with a backlog is
  // behind `at_ns`.
  std::uint64_t all_read_ns = 0;
  std::uint64_t turns = 0;
  std::uint64_t written = 0;
  std::uint64_t synced = 0;
  std::uint64_t quorum = 0;
  std::uint64_t released = 0;
  Position written_at;
  Position whole_at;  // behind the last whole event group that was read
  Position synced_at;
  Position quorum_at;        // null: this incarnation has seen no quorum yet
  Position quorum_group_at;  // the end of a whole event group that the quorum mark has passed;
                             // null: none yet
  Position released_at;
  bool satisfiable = false;
  std::uint64_t rule_number = 0;     // of the rule that these marks were computed by
  std::uint32_t peers_need = 0;      // the oldest file that a connected replica lacks; 0: unknown
  std::uint64_t frame_faults = 0;    // foreign or damaged datagrams of our peers
  std::uint64_t unknown_peers = 0;   // datagrams of addresses that are no peer's, dropped unread
  Endpoint unknown_peer;             // the last such address
  std::uint64_t unknown_frames = 0;  // intact frames that belong to no session of their sender
  std::uint64_t events_lost = 0;     // control's queue was full
  std::uint64_t hellos_lost = 0;
  std::array<ReplicaMarks, kMaxReplicas> replicas{};
};

inline constexpr std::size_t kLaneQueue = 256;
inline constexpr std::size_t kHelloQueue = 16;
// Marks are published once a lane has had nothing to do for kCalmNs, and under load at the pace of
// kPublishNs. Not in the first idle turn: a lone commit's ACK arrives in the next ones.
inline constexpr std::uint64_t kCalmNs = 3 * kNanosPerMicro;
inline constexpr std::uint64_t kPublishNs = 200 * kNanosPerMicro;

struct SourceLaneQueues {
  LanePause pause;
  SpscQueue<SourceCommand, kLaneQueue> commands;  // control → lane
  SpscQueue<SourceEvent, kLaneQueue> events;      // lane → control
  SpscQueue<HelloMessage, kHelloQueue> hello_in;  // lane → control
  SpscQueue<HelloMessage, kHelloQueue> hello_out;
  SeqlockValue<SourceMarks> marks;
  StageClock stages;
};

template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
class SourceCycle {
 public:
  // `peers`: whom the lane hears.
  SourceCycle(std::span<P* const> ports, Stream& stream, Server& server, C& clock,
              SourceLaneQueues& queues, const PeerList& peers) noexcept
      : ports_(ports),
        stream_(stream),
        server_(server),
        clock_(clock),
        queues_(queues),
        heard_(peers) {}

  // One turn. Returns how much was done: 0 means the lane may idle. Lane's thread only.
  std::size_t do_work() noexcept {
    if (queues_.pause.stand()) return 0;
    std::uint64_t now_ns = clock_.now_ns();
    std::size_t work = take_commands(now_ns);
    work += tail(now_ns);
    move_synced();
    move_released(now_ns);
    work += send(now_ns);
    // Nothing below sends: what is new is on its way before anything else is looked at.
    for (P* port : ports_) port->flush();
    // An answer may be here already, and must not seem older than what it answers.
    now_ns = note_sent(now_ns);
    work += receive(now_ns);
    work += acknowledge(now_ns);
    publish(work, now_ns);
    return work;
  }

  // Event groups that the last turn found in the binlog.
  std::size_t batch() const noexcept { return batch_; }

  // While the lane stands still (LanePause): forget all sessions, marks and the stream's
  // coordinates.
  void rebuild(Epoch epoch, const QuorumRule& rule) noexcept {
    for (Peer& peer : peers_) peer = {};
    epoch_ = epoch;
    gate_.reset(0);
    gate_.set_rule(rule);
    synced_ = released_ = covered_ = acknowledged_ = 0;
    exposure_ = 0;
    hold_ = false;
    synced_at_ = {};
    synced_pending_ = false;
    watched_group_ = 0;
    quorum_group_at_ = {};
    told_at_ = {};
    acknowledged_at_ =
        {};  // what the last incarnation's quorums covered is proven anew (safety rule S3)
    shown_.synced_at = shown_.quorum_at = shown_.released_at = {};
    peers_need_ = 0;
    stream_stopped_ = false;
    unpublished_ = true;
    queues_.stages.restart();
    // Nobody has told this incarnation to release without a quorum.
    if (degraded_) server_.resume();
    degraded_ = false;
  }

 private:
  struct Peer {
    SenderSession session;
    std::uint32_t port = 0;
    Endpoint endpoint;
    std::uint64_t origin = 0;
    std::uint64_t exposure_known = 0;
    std::uint64_t released = 0;  // what it was told, in the stream's linear offsets
    std::uint64_t sent = 0;      // what this turn has sent for the first time ends here; 0: nothing
  };

  // In the stream's linear offsets; 0 while it is unknown.
  static std::uint64_t applied_of(const Peer& peer) noexcept {
    const std::uint64_t applied = peer.session.applied();
    const bool known = applied > 0 || (peer.session.peer_state() & wire::kStateAppliedKnown) != 0;
    return known ? peer.origin + applied : 0;
  }

  std::size_t take_commands(std::uint64_t now_ns) noexcept;
  void start_session(const SourceCommand& command, std::uint64_t now_ns) noexcept;
  void stop_session(std::uint32_t replica) noexcept;
  void lose_session(std::uint32_t replica, SourceEvent::Kind why, int error) noexcept;
  std::size_t tail(std::uint64_t now_ns) noexcept;
  std::size_t send(std::uint64_t now_ns) noexcept;
  std::size_t send_to(std::uint32_t replica, std::uint64_t now_ns) noexcept;
  bool send_frame(std::uint32_t replica, const SendPlan& plan, std::uint64_t now_ns) noexcept;
  std::uint64_t note_sent(std::uint64_t now_ns) noexcept;
  std::size_t receive(std::uint64_t now_ns) noexcept;
  void on_frame(std::uint32_t port, const Datagram& datagram, std::uint64_t now_ns) noexcept;
  void on_ack(std::uint32_t port, const Endpoint& from, const FrameView& frame,
              std::uint64_t now_ns) noexcept;
  std::size_t acknowledge(std::uint64_t now_ns) noexcept;
  void move_synced() noexcept;
  void move_released(std::uint64_t now_ns) noexcept;
  SessionMarks marks_for(const Peer& peer) const noexcept {
    const auto relative = [&](std::uint64_t mark) {
      return mark > peer.origin ? mark - peer.origin : 0;
    };
    return {relative(synced_), relative(peer.released)};
  }
  // What this replica may hand its server. What no quorum covers it learns of only once it has the
  // exposure on record (S10); and not while it shall hold it and its journal has room.
  std::uint64_t released_for(const Peer& peer) const noexcept {
    const bool knows = peer.exposure_known >= exposure_ || canary(Canary::exposure_told_late);
    const bool holds = hold_ && peer.session.has_room() && !canary(Canary::held_release_told);
    return knows && !holds ? released_ : covered_;
  }
  // The position of a mark stays where it was while that of its new place cannot be told.
  void move(Position& position, std::uint64_t mark) const noexcept {
    const Position at = stream_.position_of(mark);
    if (!at.is_null()) position = at;
  }
  void report(const SourceEvent& event) noexcept {
    if (!queues_.events.try_push(event)) ++shown_.events_lost;
  }
  void publish(std::size_t work, std::uint64_t now_ns) noexcept;
  // Of what is shown. Where a replica stands cannot be told while its place was purged.
  std::uint32_t oldest_needed_file() const noexcept {
    std::uint32_t oldest = 0;
    for (const ReplicaMarks& marks : shown_.replicas) {
      if (!marks.connected) continue;
      if (marks.durable_at.is_null()) return 0;
      if (oldest == 0 || marks.durable_at.file < oldest) oldest = marks.durable_at.file;
    }
    return oldest;
  }

  std::span<P* const> ports_;
  Stream& stream_;
  Server& server_;
  C& clock_;
  SourceLaneQueues& queues_;
  const PeerList heard_;
  Epoch epoch_;
  QuorumGate gate_;
  std::uint64_t synced_ = 0;
  // What control said. It may be ahead of what this lane has read: then it is still pending.
  Position synced_at_;
  bool synced_pending_ = false;
  std::uint64_t released_ = 0;
  std::uint64_t covered_ = 0;   // of it, what a quorum has
  std::uint64_t exposure_ = 0;  // the list that says what else was released
  bool hold_ = false;
  std::uint64_t acknowledged_ = 0;
  Position acknowledged_at_;
  Position told_at_;  // of that, what the server is told
  // The end of a group that the quorum mark is about to pass, and of the last one that it has
  // passed.
  std::uint64_t watched_group_ = 0;
  Position quorum_group_at_;
  std::size_t batch_ = 0;
  bool sent_any_ = false;
  bool degraded_ = false;
  bool stream_stopped_ = false;
  std::array<Peer, kMaxReplicas> peers_{};
  // The oldest file that a replica in a session does not hold whole; 0: unknown. As of the last
  // publication: an archive that keeps a file for longer than it must does no harm.
  std::uint32_t peers_need_ = 0;
  bool unpublished_ = true;
  std::uint64_t worked_ns_ = 0;
  std::uint64_t published_ns_ = 0;
  // Cold. What is popped from queues is large: it is not made anew in every turn.
  SourceCommand command_;
  HelloMessage hello_;
  SourceMarks shown_;
};

template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
std::size_t SourceCycle<P, Stream, Server, C>::take_commands(std::uint64_t now_ns) noexcept {
  std::size_t work = 0;
  while (work < kLaneQueue && queues_.commands.try_pop(command_)) {
    const SourceCommand& command = command_;
    ++work;
    switch (command.kind) {
      case SourceCommand::Kind::start_session:
        start_session(command, now_ns);
        break;
      case SourceCommand::Kind::stop_session:
        stop_session(command.replica);
        break;
      case SourceCommand::Kind::set_rule:
        gate_.set_rule(command.rule);
        break;
      case SourceCommand::Kind::set_degraded:
        if (command.degraded) server_.pause();
        if (degraded_ && !command.degraded) server_.resume();
        degraded_ = command.degraded;
        if (degraded_) {
          exposure_ = command.exposure;
          hold_ = command.hold;
        }
        break;
      case SourceCommand::Kind::set_exposure_known:
        // Of a session that is over it says nothing.
        if (peers_[command.replica].session.session_id() == command.session_id)
          peers_[command.replica].exposure_known = command.exposure;
        break;
      case SourceCommand::Kind::set_synced:
        synced_at_ = std::max(synced_at_, command.synced);
        synced_pending_ = true;
        break;
      case SourceCommand::Kind::set_slow:
        gate_.set_slow(command.slow);
        break;
    }
  }
  for (std::size_t i = 0; i < kHelloQueue && queues_.hello_out.try_pop(hello_); ++i, ++work) {
    const HelloMessage& hello = hello_;
    const MutableBytes buffer = ports_[hello.port]->tx_buffer();
    if (buffer.size() < hello.length)
      continue;  // counted by the port; the handshake repeats itself
    std::copy_n(hello.bytes.begin(), hello.length, buffer.begin());
    ports_[hello.port]->tx_commit(hello.peer, hello.length);
  }
  return work;
}

template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
void SourceCycle<P, Stream, Server, C>::start_session(const SourceCommand& command,
                                                      std::uint64_t now_ns) noexcept {
  BL_ASSERT(command.replica < kMaxReplicas && command.port < ports_.size());
  if (command.epoch != epoch_) return;  // agreed on before the incarnation changed: over already
  Peer& peer = peers_[command.replica];
  // Should control not have stopped the last session: the gate must not hear of it any more.
  peer.session.stop();
  if (!gate_.connect(command.replica, command.journal_id)) {
    report({SourceEvent::Kind::session_duplicate, command.replica, 0});
    return;
  }
  peer.port = command.port;
  peer.endpoint = command.peer;
  peer.origin = command.origin;
  peer.exposure_known = 0;
  peer.released = 0;
  SenderSession::Start start;
  start.session_id = command.session_id;
  start.epoch = epoch_;
  start.durable = command.durable;
  start.window_end = command.window_end;
  start.max_payload =
      static_cast<std::uint32_t>(ports_[command.port]->max_payload() - wire::kDataOverhead);
  start.now_ns = now_ns;
  peer.session.start(start);
  queues_.stages.restart(command.replica);
  const std::uint64_t durable = peer.origin + command.durable;
  gate_.update(command.replica, durable, durable, 0);
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
  batch_ = static_cast<std::size_t>(stream_.groups() - groups);
  if (stream_.written() == before) return 0;
  queues_.stages.on_written(stream_.written(), stream_.position_of(stream_.written()), looked_ns,
                            now_ns);
  return 1;
}

template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
std::size_t SourceCycle<P, Stream, Server, C>::send(std::uint64_t now_ns) noexcept {
  std::size_t frames = 0;
  for (std::uint32_t i = 0; i < kMaxReplicas; ++i) {
    if (peers_[i].session.active()) frames += send_to(i, now_ns);
  }
  return frames;
}

template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
std::size_t SourceCycle<P, Stream, Server, C>::send_to(std::uint32_t replica,
                                                       std::uint64_t now_ns) noexcept {
  Peer& peer = peers_[replica];
  peer.released = std::max(peer.released, released_for(peer));
  peer.session.begin_turn(stream_.written() - peer.origin, marks_for(peer), now_ns);
  if (peer.session.timed_out(now_ns)) {
    lose_session(replica, SourceEvent::Kind::session_lost, 0);
    return 1;
  }
  std::size_t frames = 0;
  while (frames < kLiveFramesPerTurn) {
    const auto plan = peer.session.next(now_ns);
    if (!plan || !send_frame(replica, *plan, now_ns)) break;
    ++frames;
  }
  return frames;
}

template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
bool SourceCycle<P, Stream, Server, C>::send_frame(std::uint32_t replica, const SendPlan& plan,
                                                   std::uint64_t now_ns) noexcept {
  Peer& peer = peers_[replica];
  P& port = *ports_[peer.port];
  const MutableBytes buffer = port.tx_buffer();
  if (buffer.size() <
      wire::kDataOverhead + std::max<std::size_t>(plan.max_length, sizeof(wire::FileEndPayload)))
    return false;
  StreamPiece piece;
  const MutableBytes payload = buffer.subspan(wire::kDataOverhead);
  if (plan.max_length > 0) {
    const bool slips = canary(Canary::wrong_retransmit_offset) &&
                       plan.kind == SendPlan::Kind::retransmit && plan.offset > 0;
    const std::uint64_t slip = slips ? 1 : 0;
    const int error =
        stream_.read(peer.origin + plan.offset - slip, payload.first(plan.max_length), piece);
    // A probe repeats one packet's range, whole: the file still has it, or this is not that file
    // any more.
    const bool cut_short = plan.kind == SendPlan::Kind::probe && piece.length != plan.max_length;
    if (error != 0 || piece.length == 0 || cut_short) {
      lose_session(replica, SourceEvent::Kind::session_purged, error);
      return false;
    }
  }
  std::uint32_t payload_length = piece.length;
  FrameTags tags;
  tags.flags = plan.flags;
  if (piece.file_end) {
    const wire::FileEndPayload end{
        piece.end.final_size, piece.end.last_group_end, piece.end.flags_byte, {}};
    std::memcpy(payload.data(), static_cast<const void*>(&end), sizeof end);
    payload_length = sizeof end;
    tags.flags |= wire::kFlagFileEnd;
  }
  const SessionMarks marks = marks_for(peer);
  wire::DataBody body;
  body.stream_offset = plan.offset;
  body.file_offset = piece.at.offset;
  body.file_number = piece.at.file;
  body.peers_need = peers_need_;
  body.synced = marks.synced;
  body.released = marks.released;
  std::memcpy(buffer.data() + sizeof(wire::Header), static_cast<const void*>(&body), sizeof body);
  tags.session_id = peer.session.session_id();
  tags.epoch = epoch_;
  tags.packet_number = plan.packet_number;
  const std::uint32_t length =
      seal(buffer, tags, static_cast<std::uint32_t>(sizeof body) + payload_length);
  port.tx_commit(peer.endpoint, length);
  peer.session.on_sent(plan, piece.length, now_ns);
  if (plan.kind == SendPlan::Kind::fresh) {
    peer.sent = peer.origin + plan.offset + piece.length;
    sent_any_ = true;
  }
  return true;
}

// Behind the flush, with a look at the clock of its own if anything was sent, because what came
// before it took this turn's time. Returns the time then.
template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
std::uint64_t SourceCycle<P, Stream, Server, C>::note_sent(std::uint64_t now_ns) noexcept {
  if (!sent_any_) return now_ns;
  sent_any_ = false;
  const std::uint64_t at_ns = clock_.now_ns();
  for (std::uint32_t i = 0; i < kMaxReplicas; ++i) {
    const std::uint64_t sent = std::exchange(peers_[i].sent, 0);
    if (sent > 0) queues_.stages.on_sent(i, sent, at_ns);
  }
  return at_ns;
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
    Peer& peer = peers_[i];
    if (!peer.session.active() || peer.session.session_id() != frame.header.session_id) continue;
    // Another peer's address says nothing of this one's disk.
    const bool its_own =
        (port == peer.port && from == peer.endpoint) || canary(Canary::foreign_ack_taken);
    if (!its_own) break;
    if (!peer.session.on_ack(frame.header.session_id, frame.epoch(), ack, now_ns)) return;
    const bool failed = (ack.state & wire::kStateJournalFailed) != 0;
    if (failed && !canary(Canary::failed_journal_counted)) {
      gate_.exclude(i);
      lose_session(i, SourceEvent::Kind::journal_failed, 0);
      return;
    }
    const std::uint64_t origin = peer.origin;
    gate_.update(i, origin + peer.session.received(), origin + peer.session.durable(),
                 applied_of(peer));
    queues_.stages.on_received(i, origin + peer.session.received(), now_ns);
    queues_.stages.on_durable(i, origin + peer.session.durable(), ack.queue_ns, ack.disk_ns,
                              now_ns);
    return;
  }
  ++shown_.unknown_frames;
}

template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
std::size_t SourceCycle<P, Stream, Server, C>::acknowledge(std::uint64_t now_ns) noexcept {
  BL_ASSERT(gate_.quorum() <= stream_.written());
  if (gate_.quorum() > acknowledged_) {
    acknowledged_ = gate_.quorum();
    queues_.stages.on_quorum(acknowledged_, now_ns);
    move(acknowledged_at_, acknowledged_);
    // Never a place within a group that is not whole: a server that has torn its binlog believes
    // that it is shorter than it is, and would take that for what it has written since (S24).
    move(told_at_, canary(Canary::acked_within_group)
                       ? acknowledged_
                       : std::min(acknowledged_, stream_.group_end()));
    if (acknowledged_ >= watched_group_) {
      const std::uint64_t newest = stream_.group_end();
      const std::uint64_t passed = acknowledged_ >= newest ? newest : watched_group_;
      if (passed > 0) move(quorum_group_at_, passed);
      watched_group_ = newest;
    }
  }
  // A position of this stream means other bytes in the next one (safety rule S16).
  if (!stream_.settled() && !canary(Canary::acked_behind_reset)) return 0;
  return server_.poll(told_at_);
}

// `synced` never claims more than `written`. What is beyond counts as soon as the tailer has seen
// it: the last position before an idle time must not wait for control to say it again.
template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
void SourceCycle<P, Stream, Server, C>::move_synced() noexcept {
  if (!synced_pending_) return;
  synced_ = std::max(synced_, std::min(stream_.linear_of(synced_at_), stream_.written()));
  synced_pending_ = stream_.position_of(synced_) < synced_at_;
}

// Every turn, in front of send(): the durable quorum moves on its own when the rule's level is
// another one (safety rule S9).
template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
void SourceCycle<P, Stream, Server, C>::move_released(std::uint64_t now_ns) noexcept {
  const bool own_level = canary(Canary::released_at_rule_level);
  const std::uint64_t quorum = own_level ? gate_.quorum() : gate_.durable_quorum();
  const bool beyond = canary(Canary::released_beyond_synced);
  const std::uint64_t mark = degraded_ ? synced_ : beyond ? quorum : std::min(synced_, quorum);
  const bool back = canary(Canary::released_goes_back);
  const std::uint64_t before = released_;
  released_ = back ? mark : std::max(released_, mark);  // never decreases, in any state
  covered_ = std::max(covered_, std::min(synced_, quorum));
  if (released_ > before) queues_.stages.on_released(released_, now_ns);
}

template <Port P, BinlogStream Stream, SemiSyncServer Server, Clock C>
void SourceCycle<P, Stream, Server, C>::publish(std::size_t work, std::uint64_t now_ns) noexcept {
  ++shown_.turns;
  if (work > 0) {
    unpublished_ = true;
    worked_ns_ = now_ns;
  }
  const std::uint64_t since_ns = now_ns - published_ns_;
  const bool calm = work == 0 && now_ns - worked_ns_ >= kCalmNs;
  if (unpublished_ ? !calm && since_ns < kPublishNs : since_ns < kNanosPerMilli) return;
  unpublished_ = false;
  published_ns_ = now_ns;
  shown_.epoch = epoch_;
  shown_.at_ns = now_ns;
  shown_.all_read_ns = stream_.all_read_ns();
  shown_.written = stream_.written();
  shown_.synced = synced_;
  shown_.quorum = gate_.quorum();
  shown_.released = released_;
  shown_.written_at = stream_.position_of(shown_.written);
  const bool torn = canary(Canary::half_group_synced);
  shown_.whole_at = stream_.position_of(torn ? stream_.written() : stream_.group_end());
  move(shown_.synced_at, shown_.synced);
  // A mark of 0 is none. The map begins with the oldest file that is left, and a quorum of earlier
  // incarnations may lie in front of that.
  if (shown_.quorum > 0 || canary(Canary::quorum_of_nothing)) move(shown_.quorum_at, shown_.quorum);
  shown_.quorum_group_at = quorum_group_at_;
  move(shown_.released_at, shown_.released);
  shown_.satisfiable = gate_.satisfiable();
  shown_.rule_number = gate_.rule().number;
  for (std::size_t i = 0; i < kMaxReplicas; ++i) {
    const Peer& peer = peers_[i];
    ReplicaMarks& marks = shown_.replicas[i];
    marks.connected = peer.session.active();
    if (!marks.connected) continue;
    marks.state = peer.session.peer_state();
    marks.received = peer.origin + peer.session.received();
    marks.durable = peer.origin + peer.session.durable();
    marks.applied = applied_of(peer);
    marks.applied_at = marks.applied == 0 ? Position{} : stream_.position_of(marks.applied);
    marks.received_at = stream_.position_of(marks.received);
    marks.durable_at = stream_.position_of(marks.durable);
    marks.rtt_ns = peer.session.round_trip().smoothed_ns();
    marks.counters = peer.session.counters();
  }
  peers_need_ = oldest_needed_file();
  shown_.peers_need = peers_need_;
  queues_.marks.store(shown_);
}

}  // namespace binlane
