#include "control/handshake_desk.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/error.h"
#include "base/log.h"
#include "base/wire_log.h"

namespace binlane {
namespace {

// How long a session that was ended for a change of the rule may take to come back before the next
// one is ended.
constexpr std::uint64_t kRenewNs = 2 * kNanosPerSecond;

}  // namespace

HandshakeDesk::HandshakeDesk(std::vector<Replica> replicas, StreamProof& proof,
                             SourceLaneQueues& queues)
    : proof_(proof), queues_(queues) {
  BL_ASSERT(replicas.size() <= kMaxReplicas);
  for (Replica& replica : replicas) {
    Desk desk;
    desk.view.name = replica.name;
    desk.replica = std::move(replica);
    desks_.push_back(std::move(desk));
  }
}

PeerList HandshakeDesk::addresses_of(const std::vector<Replica>& replicas) {
  static_assert(kMaxReplicas <= PeerList::kMaxPeers);
  BL_ASSERT(replicas.size() <= kMaxReplicas);
  PeerList peers;
  for (const Replica& replica : replicas) {
    const bool fits = peers.add({replica.port, replica.address.ipv4, replica.address.udp_port});
    BL_ASSERT(fits);
  }
  return peers;
}

void HandshakeDesk::begin_incarnation(const SourceHandshake::Identity& identity,
                                      const Position& safe, std::vector<SafeMark> earlier) {
  identity_ = identity;
  safe_ = safe;
  earlier_ = std::move(earlier);
  deposed_by_ = 0;
  open_ = true;
  for (Desk& desk : desks_) begin(desk);
}

void HandshakeDesk::close() {
  open_ = false;
  for (Desk& desk : desks_) {
    desk.handshake.reset();
    desk.view.in_session = false;
  }
}

void HandshakeDesk::borrow_from(const std::string& name) {
  for (Desk& desk : desks_) {
    if (desk.replica.name != name) continue;
    SourceHandshake::Identity identity = identity_;
    identity.replica_name = name;
    identity.borrow = true;
    desk.handshake.emplace(std::move(identity), proof_, safe_, earlier_);
    desk.view.refusal.clear();
  }
}

void HandshakeDesk::begin(Desk& desk) {
  SourceHandshake::Identity identity = identity_;
  identity.replica_name = desk.replica.name;
  desk.handshake.emplace(std::move(identity), proof_, safe_, earlier_);
  desk.view.in_session = false;
  desk.view.inspection.reset();
  desk.rule_change = rule_changes_;
}

void HandshakeDesk::change_rule(const std::string& rule, bool alone) {
  identity_.rule = rule;
  identity_.rule_alone = alone;
  ++rule_changes_;
  for (Desk& desk : desks_) {
    if (open_ && !desk.view.in_session) begin(desk);
  }
}

ReplicaSet HandshakeDesk::holders() const noexcept {
  ReplicaSet set = 0;
  for (std::size_t i = 0; i < desks_.size(); ++i) {
    if (desks_[i].view.in_session && desks_[i].rule_change == rule_changes_)
      set |= ReplicaSet{1} << i;
  }
  return set;
}

bool HandshakeDesk::changing_rule() const noexcept {
  for (const Desk& desk : desks_) {
    const bool told = desk.rule_change == rule_changes_;
    if (desk.view.in_session ? !told : desk.renewed_until_ns != 0) return true;
  }
  return false;
}

void HandshakeDesk::renew_one(std::uint64_t now_ns) {
  for (Desk& desk : desks_) {
    if (desk.view.in_session || now_ns >= desk.renewed_until_ns) desk.renewed_until_ns = 0;
    if (desk.renewed_until_ns != 0) return;
  }
  for (std::uint32_t i = 0; i < desks_.size(); ++i) {
    Desk& desk = desks_[i];
    if (!desk.view.in_session || desk.rule_change == rule_changes_) continue;
    SourceCommand command;
    command.kind = SourceCommand::Kind::stop_session;
    command.replica = i;
    if (!queues_.commands.try_push(command)) return;  // tried again in the next turn
    begin(desk);
    desk.renewed_until_ns = now_ns + kRenewNs;
    return;
  }
}

void HandshakeDesk::take_replies(std::uint64_t now_ns) {
  SourceEvent event;
  for (std::size_t i = 0; i < kLaneQueue && queues_.events.try_pop(event); ++i)
    on_event(event, now_ns);
  HelloMessage message;
  for (std::size_t i = 0; i < kHelloQueue && queues_.hello_in.try_pop(message); ++i)
    on_reply(message, now_ns);
  poll(now_ns);
}

void HandshakeDesk::poll(std::uint64_t now_ns) {
  if (!open_) return;
  renew_one(now_ns);
  HelloMessage message;
  for (Desk& desk : desks_) {
    if (!desk.handshake || !desk.handshake->poll(now_ns, message)) continue;
    message.port = desk.replica.port;
    message.peer = desk.replica.address;
    // A full queue loses the HELLO as the network might; it is repeated.
    if (!queues_.hello_out.try_push(message))
      log::debug("hello_queue_full", "HELLO to {} dropped: the lane is busy", desk.view.name);
  }
}

bool HandshakeDesk::needs_fresh_proof(const HelloMessage& message) const {
  FrameView frame;
  if (!open_ || decode(message.frame(), frame) != FrameFault::none ||
      frame.type() != wire::Type::hello_ack)
    return false;
  if (body_as<wire::HelloAckBody>(frame).phase != static_cast<std::uint8_t>(wire::Phase::ask))
    return false;
  return std::any_of(desks_.begin(), desks_.end(), [&](const Desk& desk) {
    return comes_from(desk, message) && desk.handshake && desk.handshake->expects(frame);
  });
}

void HandshakeDesk::on_reply(const HelloMessage& message, std::uint64_t now_ns) {
  FrameView frame;
  if (!open_ || decode(message.frame(), frame) != FrameFault::none ||
      frame.type() != wire::Type::hello_ack)
    return;
  for (std::uint32_t i = 0; i < desks_.size(); ++i) {
    Desk& desk = desks_[i];
    if (!comes_from(desk, message) || !desk.handshake) continue;
    if (!desk.handshake->on_reply(frame, message.peer, now_ns)) continue;
    desk.view.refusal = desk.handshake->refusal();
    desk.view.inspection = desk.handshake->inspection();
    desk.view.promised_term = desk.handshake->promised_term();
    desk.view.look = desk.handshake->look();
    desk.view.looks = desk.handshake->looks();
    if (desk.view.look) return;  // nobody wants a session
    if (desk.handshake->deposed())
      deposed_by_ = std::max(deposed_by_, desk.handshake->promised_term());
    if (!desk.view.refusal.empty() && desk.view.refusal != desk.logged_refusal)
      log::limited(log::Level::error, "replica_refused", desk.view.name,
                   "no session with replica {}: {}", desk.view.name, desk.view.refusal);
    desk.logged_refusal = desk.view.refusal;
    if (const auto& session = desk.handshake->session()) start_session(i, *session);
    return;
  }
}

void HandshakeDesk::start_session(std::uint32_t index, const SourceHandshake::Session& session) {
  Desk& desk = desks_[index];
  SourceCommand command;
  command.kind = SourceCommand::Kind::start_session;
  command.replica = index;
  command.port = desk.replica.port;
  command.peer = session.peer;
  command.epoch = identity_.epoch;
  command.session_id = session.session_id;
  command.origin = session.origin;
  command.durable = session.durable;
  command.window_end = session.window_end;
  command.journal_id = session.journal_id;
  if (!queues_.commands.try_push(command)) {
    log::error("command_queue_full", "session with {} not started: the lane does not take commands",
               desk.view.name);
    begin(desk);
    return;
  }
  desk.view.journal_id = session.journal_id;
  desk.view.session_id = session.session_id;
  desk.view.in_session = true;
  ++desk.view.sessions;
  desk.view.bytes_cut += session.cut;
  log::limited(
      log::Level::info, "session_started", desk.view.name,
      "replica {} (journal {}) holds the stream up to {}; {} un-released bytes were cut back",
      desk.view.name, to_string(session.journal_id),
      to_string(proof_.position_of(session.origin + session.durable)), session.cut);
  desk.handshake.reset();
}

void HandshakeDesk::on_event(const SourceEvent& event, std::uint64_t now_ns) {
  if (event.kind == SourceEvent::Kind::stream_stopped || event.replica >= desks_.size() || !open_)
    return;
  Desk& desk = desks_[event.replica];
  begin(desk);
  switch (event.kind) {
    case SourceEvent::Kind::session_lost:
      log::limited(log::Level::warning, "replica_lost", desk.view.name,
                   "replica {} has not answered for {} ms", desk.view.name,
                   kPeerTimeoutNs / kNanosPerMilli);
      break;
    case SourceEvent::Kind::session_purged:
      log::limited(log::Level::error, "stream_unreadable", desk.view.name,
                   "the binlog that replica {} needs cannot be read: {}", desk.view.name,
                   event.error == 0 ? "the file is shorter than it was" : errno_text(event.error));
      desk.handshake->hold_until(now_ns + kRefusedRepeatNs);
      break;
    case SourceEvent::Kind::session_duplicate:
      desk.view.refusal = "another replica in session has the same journal";
      log::limited(log::Level::error, "replica_duplicate", desk.view.name, "replica {} refused: {}",
                   desk.view.name, desk.view.refusal);
      desk.handshake->hold_until(now_ns + kRefusedRepeatNs);
      break;
    case SourceEvent::Kind::journal_failed:
      desk.view.refusal = "its journal's device failed";
      log::limited(log::Level::error, "replica_journal_failed", desk.view.name,
                   "replica {} acknowledges nothing more: {}", desk.view.name, desk.view.refusal);
      desk.handshake->hold_until(now_ns + kRefusedRepeatNs);
      break;
    case SourceEvent::Kind::stream_stopped:
      break;
  }
}

std::vector<HandshakeDesk::ReplicaView> HandshakeDesk::view() const {
  std::vector<ReplicaView> views;
  views.reserve(desks_.size());
  for (const Desk& desk : desks_) views.push_back(desk.view);
  return views;
}

}  // namespace binlane
