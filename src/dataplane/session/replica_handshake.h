// ReplicaHandshake: the replica's half of a handshake. No I/O, no clock; the replica's lane owns
// it, because the answers come from the journal.
//
// A HELLO reaches it only after the control thread has admitted it: cluster, names and stream
// identity fit, and whatever had to be made durable first is durable. [S1, S4] It then answers ASK
// and COMPARE with digests of the un-released log. At START it waits until the writes in flight
// have ended, truncates the log if asked, records the epoch, and answers STARTED once all that is
// on stable storage. [S11]
#pragma once

#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "base/mutant.h"
#include "base/uuid.h"
#include "dataplane/session/hello.h"
#include "dataplane/session/receiver_session.h"

namespace binlane {

// What the handshake needs of the journal in addition to StreamLog.
template <class L>
concept MatchableLog = StreamLog<L> &&
    requires(L log, const L& view, std::uint64_t offset, Epoch epoch, Position at) {
  { view.digest(offset, offset) } -> std::same_as<std::uint32_t>;
  { view.released_log() } -> std::same_as<std::uint64_t>;
  { view.released() } -> std::same_as<Position>;
  { view.durable() } -> std::same_as<Position>;
  { view.epoch() } -> std::same_as<Epoch>;
  { view.idle() } -> std::same_as<bool>;
  { view.failed() } -> std::same_as<bool>;
  { view.records_durable() } -> std::same_as<bool>;
  {log.begin_at(at)};
  { log.start_epoch(epoch) } -> std::same_as<bool>;
  { log.cut(offset, epoch) } -> std::same_as<bool>;
};

// A HELLO that the control thread admitted, with what only that thread could know.
struct AdmittedHello {
  HelloMessage message;
  bool refused = false;
  bool bound = false;       // it names an answer of this process: its sender hears our answers
  bool not_bound = false;   // refused only because it names none
  bool acks_alone = false;  // a rule on record is satisfied by this replica alone
  // As log offsets, if a START asks for a cut: after the last whole event group of what is held,
  // and where the log ended when that was looked up.
  std::uint64_t whole_groups_log = UINT64_MAX;
  std::uint64_t looked_to_log = UINT64_MAX;
  bool source_alive = false;  // in the answer to a look: this host is a source, or hears one
  // Why it is refused; in the answer to a look that is not refused, the name of the source that is
  // heard.
  char reason[wire::kReasonSize] = {};
  Uuid origin;  // of the stream held; null while blank
  std::uint32_t stream_term = 0;
  Uuid journal_id;
  std::uint64_t answer_id = 0;  // random; used for the answer if this is a new ASK
  Epoch promised;
  Uuid promised_to;
  char rules[wire::kRulesSize] = {};
  bool rules_cut_short = false;
  std::uint32_t below_digest = 0;
  std::uint64_t below_length = 0;
  Position below_end;
};

// Why a HELLO is refused that names no answer of this process. Its sender repeats it with one.
inline constexpr std::string_view kNotBoundReason =
    "this HELLO names no answer of the replica's running process";

class ReplicaHandshake {
 public:
  explicit ReplicaHandshake(std::uint64_t cluster_id, std::string_view replica_name) noexcept
      : cluster_id_(cluster_id) {
    set_field(replica_name_, replica_name);
  }

  // Processes one admitted HELLO. Returns true if `reply` is to be sent (to hello.message.peer)
  // now.
  template <MatchableLog Log>
  bool on_hello(const AdmittedHello& hello, Log& log, ReceiverSession& session, std::uint16_t state,
                HelloMessage& reply) noexcept;

  // Once a turn while an ASK or a START waits. Returns true if `reply` is to be sent now.
  template <MatchableLog Log>
  bool poll(Log& log, ReceiverSession& session, std::uint16_t state, HelloMessage& reply) noexcept;

  // No frame of any session may be taken while this is true.
  bool settling() const noexcept {
    return step_ == Step::quiet || step_ == Step::settle || step_ == Step::record;
  }
  // Whatever was agreed on is over: the log belongs to another stream now (the lane is quiesced).
  void reset() noexcept { step_ = Step::none; }
  // The journal holds another log from now on.
  void forget_safe() noexcept { safe_log_ = 0; }

 private:
  // quiet: writes in flight end before an ASK is answered, so that the answer contains everything
  // that the older session has left [S1]; settle: the same before a cut; record: CUT or EPOCH
  // becomes durable.
  enum class Step : std::uint8_t { none, quiet, answered, settle, record };

  template <MatchableLog Log>
  wire::HelloAckBody answer(const AdmittedHello& hello, const wire::HelloBody& body, const Log& log,
                            std::uint16_t state) const noexcept;
  // Says why, and reveals nothing of what is held here.
  wire::HelloAckBody refused(const AdmittedHello& hello, const wire::HelloBody& body,
                             std::string_view reason) const noexcept;
  template <MatchableLog Log>
  static void add_digests(wire::HelloAckBody& ack, const Log& log, std::uint64_t from,
                          std::uint64_t to) noexcept;
  // What the answer to a refused HELLO, or to a look, says in addition to what is held.
  static void add_standing(wire::HelloAckBody& ack, const AdmittedHello& hello) noexcept;
  static void send(const FrameView& to, const HelloMessage& hello, const wire::HelloAckBody& ack,
                   HelloMessage& reply) noexcept;
  template <MatchableLog Log>
  std::string_view accept_start(const FrameView& frame, const AdmittedHello& hello,
                                const wire::HelloBody& body, const Log& log,
                                const ReceiverSession& session) const noexcept;
  // As far as this replica can know: below this log offset the source had synced, and this replica
  // had acknowledged, in a session of this process. [I6]
  std::uint64_t safe_log(const ReceiverSession& session) const noexcept {
    return std::max(safe_log_, session.safe_log());
  }

  std::uint64_t cluster_id_;
  char replica_name_[wire::kNameSize] = {};
  Step step_ = Step::none;
  AdmittedHello pending_;          // the ASK or START that waits
  std::uint64_t answered_id_ = 0;  // the handshake whose ASK was answered last
  std::uint64_t answer_id_ = 0;    // and that answer's own id
  std::uint64_t safe_log_ = 0;     // of the sessions before the last one
};

template <MatchableLog Log>
bool ReplicaHandshake::on_hello(const AdmittedHello& hello, Log& log, ReceiverSession& session,
                                std::uint16_t state, HelloMessage& reply) noexcept {
  FrameView frame;
  if (decode(hello.message.frame(), frame) != FrameFault::none) return false;
  const auto body = body_as<wire::HelloBody>(frame);
  const auto phase = static_cast<wire::Phase>(body.phase);
  if (settling() && body.handshake_id == answered_id_) return false;  // poll() will answer
  wire::HelloAckBody ack = answer(hello, body, log, state);
  std::string_view refusal = hello.refused ? field_text(hello.reason) : std::string_view{};
  if (refusal.empty() && log.failed())
    refusal = "the journal's device failed, so this replica acknowledges nothing more";
  if (BL_MUTANT(older_source_served, false, refusal.empty() && frame.epoch() < log.epoch()))
    refusal = "this source's epoch is older than the log's: another source has replaced it";
  const bool look = phase == wire::Phase::ask && (body.flags & wire::kHelloLook) != 0;
  if (refusal.empty() && look) {
    ack.flags = ack.flags | wire::kAckLook;
    add_standing(ack, hello);
    set_field(ack.reason, field_text(hello.reason));
  } else if (refusal.empty()) {
    switch (phase) {
      case wire::Phase::ask:
        // A late duplicate of the ASK that led to the running session.
        if (session.active() && body.handshake_id == answered_id_) return false;
        // A sender that does not hear our answers ends no session, and no other sender's handshake.
        if (!hello.bound && body.handshake_id != answered_id_ &&
            (session.active() || step_ != Step::none)) {
          refusal = kNotBoundReason;
          ack.flags = ack.flags | wire::kAckNotBound;
          break;
        }
        // The sender of an earlier HELLO is not the current source's session any more.
        session.stop();
        if (step_ == Step::settle || step_ == Step::record)
          return false;  // the source asks again in 100 ms
        if (step_ != Step::answered || body.handshake_id != answered_id_)
          answer_id_ = hello.answer_id;  // not an ASK that is repeated
        answered_id_ = body.handshake_id;
        ack.answer_id = answer_id_;
        if (!log.idle()) {
          pending_ = hello;
          step_ = Step::quiet;
          return false;
        }
        step_ = Step::answered;
        add_digests(ack, log, 0, ack.log_length);
        break;
      case wire::Phase::compare:
        if (step_ != Step::answered || body.handshake_id != answered_id_) return false;
        if (body.compare_from > body.compare_to || body.compare_to > ack.log_length) return false;
        add_digests(ack, log, body.compare_from, body.compare_to);
        break;
      case wire::Phase::start:
        if (session.active() && session.session_id() == frame.header.session_id) {
          ack.status = static_cast<std::uint8_t>(wire::HelloStatus::started);
          break;  // our STARTED was lost
        }
        if (step_ != Step::answered || body.handshake_id != answered_id_) return false;
        if (BL_MUTANT(late_start_accepted, false, body.answer_id != answer_id_)) return false;
        refusal = accept_start(frame, hello, body, log, session);
        if (!refusal.empty()) break;
        pending_ = hello;
        step_ = Step::settle;
        return false;
      case wire::Phase::lend:  // the control thread handles it
        break;
      case wire::Phase::refuse:
      default:
        return false;
    }
  }
  if (!refusal.empty()) {
    const std::uint32_t not_bound = ack.flags & wire::kAckNotBound;
    ack = refused(hello, body, refusal);
    ack.flags = not_bound;
    add_standing(ack, hello);
  }
  send(frame, hello.message, ack, reply);
  return true;
}

inline void ReplicaHandshake::add_standing(wire::HelloAckBody& ack,
                                           const AdmittedHello& hello) noexcept {
  ack.answer_id = hello.answer_id;
  if (hello.not_bound) ack.flags = ack.flags | wire::kAckNotBound;
  if (hello.source_alive) ack.flags = ack.flags | wire::kAckSourceAlive;
}

template <MatchableLog Log>
std::string_view ReplicaHandshake::accept_start(const FrameView& frame, const AdmittedHello& hello,
                                                const wire::HelloBody& body, const Log& log,
                                                const ReceiverSession& session) const noexcept {
  const Position at = from_wire(body.start_at);
  if (at.is_null()) return "START without a position";
  if (!is_plausible(at)) return "START at a position that no binlog has";
  if (frame.header.session_id == 0) return "START without a session";
  if (!log.released().is_null() && at != log.released())
    return "the session does not begin at this log's released position";
  if (body.cut_to != wire::kNoCut && body.cut_to > log.end_log() - log.released_log())
    return "the cut is beyond the end of this log";
  // A source of the same term lost what it had synced. [S5] A source of a later term may cut that
  // if no quorum had it. But where this replica alone completes a quorum, clients were told of what
  // it holds, as far as it is whole event groups. [S2]
  const bool same_term = frame.epoch().term == session.epoch().term;
  const std::uint64_t cut_log = log.released_log() + body.cut_to;
  const bool half_a_group =
      hello.looked_to_log == log.end_log() && cut_log >= hello.whole_groups_log;
  const bool told = same_term || (hello.acks_alone && !half_a_group);
  if (BL_MUTANT(cut_below_acked, false,
                body.cut_to != wire::kNoCut && cut_log < safe_log(session) && told))
    return "the cut is below what the source had synced and this replica had acknowledged: the "
           "source lost data and must not be a source";
  return {};
}

template <MatchableLog Log>
bool ReplicaHandshake::poll(Log& log, ReceiverSession& session, std::uint16_t state,
                            HelloMessage& reply) noexcept {
  if (!settling()) return false;
  if (log.failed()) {
    step_ = Step::none;
    return false;
  }
  FrameView frame;
  const FrameFault fault = decode(pending_.message.frame(), frame);
  BL_ASSERT(fault == FrameFault::none);
  const auto body = body_as<wire::HelloBody>(frame);
  if (step_ == Step::quiet) {
    if (!log.idle()) return false;
    step_ = Step::answered;
    wire::HelloAckBody ack = answer(pending_, body, log, state);
    add_digests(ack, log, 0, ack.log_length);
    send(frame, pending_.message, ack, reply);
    return true;
  }
  if (step_ == Step::settle) {
    if (!log.idle()) return false;
    // A blank journal takes its place in the stream from the source.
    if (log.end().is_null()) log.begin_at(from_wire(body.start_at));
    const bool cut =
        body.cut_to != wire::kNoCut && log.released_log() + body.cut_to < log.end_log();
    const bool recorded = cut ? log.cut(log.released_log() + body.cut_to, frame.epoch())
                              : log.epoch() == frame.epoch() || log.start_epoch(frame.epoch());
    if (!recorded) return false;  // the ring is full; the archive will free blocks
    step_ = Step::record;
  }
  const bool recorded = log.records_durable() && log.idle();
  if (BL_MUTANT(started_before_record, false, !recorded)) return false;
  step_ = Step::none;
  BL_ASSERT(log.epoch() == frame.epoch() && log.released_log() <= log.end_log());
  safe_log_ = std::min(safe_log(session), log.end_log());
  session.start(frame.header.session_id, frame.epoch(), log.released_log(), log);
  wire::HelloAckBody ack = answer(pending_, body, log, state);
  ack.status = static_cast<std::uint8_t>(wire::HelloStatus::started);
  send(frame, pending_.message, ack, reply);
  return true;
}

template <MatchableLog Log>
wire::HelloAckBody ReplicaHandshake::answer(const AdmittedHello& hello, const wire::HelloBody& body,
                                            const Log& log, std::uint16_t state) const noexcept {
  wire::HelloAckBody ack;
  ack.phase = body.phase;
  ack.state = state;
  ack.handshake_id = body.handshake_id;
  ack.answer_id = answer_id_;
  ack.cluster_id = cluster_id_;
  std::copy(hello.origin.bytes.begin(), hello.origin.bytes.end(), ack.origin);
  ack.stream_term = hello.stream_term;
  std::copy(hello.journal_id.bytes.begin(), hello.journal_id.bytes.end(), ack.journal_id);
  std::memcpy(ack.replica_name, replica_name_, sizeof ack.replica_name);
  ack.log_epoch = to_wire(log.epoch());
  ack.promised = to_wire(hello.promised);
  std::copy(hello.promised_to.bytes.begin(), hello.promised_to.bytes.end(), ack.promised_to);
  std::memcpy(ack.rules, hello.rules, sizeof ack.rules);
  if (hello.rules_cut_short) ack.flags = wire::kAckRulesCutShort;
  ack.released = to_wire(log.released());
  ack.durable = to_wire(log.durable());
  ack.log_length = log.end_log() - log.released_log();
  ack.window_end = ack.log_length + std::uint64_t{log.free_blocks()} * kWindowBytesPerBlock;
  ack.below_digest = hello.below_digest;
  ack.below_length = hello.below_length;
  ack.below_end = to_wire(hello.below_end);
  return ack;
}

inline wire::HelloAckBody ReplicaHandshake::refused(const AdmittedHello& hello,
                                                    const wire::HelloBody& body,
                                                    std::string_view reason) const noexcept {
  wire::HelloAckBody ack;
  ack.phase = body.phase;
  ack.status = static_cast<std::uint8_t>(wire::HelloStatus::refused);
  ack.handshake_id = body.handshake_id;
  ack.answer_id = hello.answer_id;
  ack.cluster_id = cluster_id_;
  std::memcpy(ack.replica_name, replica_name_, sizeof ack.replica_name);
  ack.promised = to_wire(hello.promised);
  set_field(ack.reason, reason);
  return ack;
}

template <MatchableLog Log>
void ReplicaHandshake::add_digests(wire::HelloAckBody& ack, const Log& log, std::uint64_t from,
                                   std::uint64_t to) noexcept {
  BL_ASSERT(from <= to && log.released_log() + to <= log.end_log());
  const std::uint64_t length = to - from;
  const std::uint64_t chunk = (length + wire::kDigests - 1) / wire::kDigests;
  ack.digest_from = from;
  ack.digest_to = to;
  ack.digest_chunk = chunk;
  std::uint32_t count = 0;
  for (std::uint64_t at = from; at < to; at += chunk) {
    BL_ASSERT(count < wire::kDigests);
    const std::uint64_t end = std::min(at + chunk, to);
    ack.digests[count++] = log.digest(log.released_log() + at, log.released_log() + end);
  }
  ack.digest_count = count;
}

inline void ReplicaHandshake::send(const FrameView& to, const HelloMessage& hello,
                                   const wire::HelloAckBody& ack, HelloMessage& reply) noexcept {
  FrameTags tags;
  tags.type = wire::Type::hello_ack;
  tags.epoch = to.epoch();
  tags.session_id = to.header.session_id;
  reply.port = hello.port;
  reply.peer = hello.peer;
  build_hello(reply, tags, ack);
}

}  // namespace binlane
