#include "control/stream/session_manager.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/error.h"
#include "base/log.h"
#include "base/wire_log.h"
#include "dataplane/lane/source_lane_proxy.h"

namespace binlane {
namespace {

// How long a session that was ended for a change of the rule may take to come back before the next
// one is ended.
constexpr std::uint64_t kRenewNs = 2 * kNanosPerSecond;

}  // namespace

SessionManager::SessionManager(std::vector<Replica> replicas, SourceLogView& proof,
                               SourceLaneQueues& queues)
    : proof_(proof), queues_(queues) {
  BL_ASSERT(replicas.size() <= kMaxReplicas);
  for (Replica& replica : replicas) {
    Peer peer;
    peer.view.name = replica.name;
    peer.replica = std::move(replica);
    peers_.push_back(std::move(peer));
  }
}

PeerList SessionManager::addresses_of(const std::vector<Replica>& replicas) {
  static_assert(kMaxReplicas <= PeerList::kMaxPeers);
  BL_ASSERT(replicas.size() <= kMaxReplicas);
  PeerList peers;
  for (const Replica& replica : replicas) {
    const bool fits = peers.add({replica.port, replica.address.ipv4, replica.address.udp_port});
    BL_ASSERT(fits);
  }
  return peers;
}

void SessionManager::begin_incarnation(const SourceHandshake::Identity& identity,
                                       const Position& safe, std::vector<SafeMark> earlier) {
  identity_ = identity;
  safe_ = safe;
  earlier_ = std::move(earlier);
  deposed_by_ = 0;
  open_ = true;
  for (Peer& peer : peers_) begin(peer);
}

void SessionManager::close() {
  open_ = false;
  for (Peer& peer : peers_) {
    peer.handshake.reset();
    peer.view.in_session = false;
  }
}

void SessionManager::borrow_from(const std::string& name) {
  for (Peer& peer : peers_) {
    if (peer.replica.name != name) continue;
    SourceHandshake::Identity identity = identity_;
    identity.replica_name = name;
    identity.borrow = true;
    peer.handshake.emplace(std::move(identity), proof_, safe_, earlier_);
    peer.view.refusal.clear();
  }
}

void SessionManager::begin(Peer& peer) {
  SourceHandshake::Identity identity = identity_;
  identity.replica_name = peer.replica.name;
  peer.handshake.emplace(std::move(identity), proof_, safe_, earlier_);
  peer.view.in_session = false;
  peer.view.inspection.reset();
  peer.rule_change = rule_changes_;
}

void SessionManager::change_rule(const std::string& rule, bool alone) {
  identity_.rule = rule;
  identity_.rule_alone = alone;
  ++rule_changes_;
  for (Peer& peer : peers_) {
    if (open_ && !peer.view.in_session) begin(peer);
  }
}

ReplicaSet SessionManager::holders() const noexcept {
  ReplicaSet set = 0;
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    if (peers_[i].view.in_session && peers_[i].rule_change == rule_changes_)
      set |= ReplicaSet{1} << i;
  }
  return set;
}

bool SessionManager::changing_rule() const noexcept {
  for (const Peer& peer : peers_) {
    const bool told = peer.rule_change == rule_changes_;
    if (peer.view.in_session ? !told : peer.renewed_until_ns != 0) return true;
  }
  return false;
}

void SessionManager::renew_one(std::uint64_t now_ns) {
  for (Peer& peer : peers_) {
    if (peer.view.in_session || now_ns >= peer.renewed_until_ns) peer.renewed_until_ns = 0;
    if (peer.renewed_until_ns != 0) return;
  }
  for (std::uint32_t i = 0; i < peers_.size(); ++i) {
    Peer& peer = peers_[i];
    if (!peer.view.in_session || peer.rule_change == rule_changes_) continue;
    if (!SourceLaneProxy(queues_).stop_session(i)) return;  // again in the next turn
    begin(peer);
    peer.renewed_until_ns = now_ns + kRenewNs;
    return;
  }
}

void SessionManager::take_replies(std::uint64_t now_ns) {
  SourceEvent event;
  for (std::size_t i = 0; i < kLaneQueue && queues_.events.try_pop(event); ++i)
    on_event(event, now_ns);
  HelloMessage message;
  for (std::size_t i = 0; i < kHelloQueue && queues_.hello_in.try_pop(message); ++i)
    on_reply(message, now_ns);
  poll(now_ns);
}

void SessionManager::poll(std::uint64_t now_ns) {
  if (!open_) return;
  renew_one(now_ns);
  HelloMessage message;
  for (Peer& peer : peers_) {
    if (!peer.handshake || !peer.handshake->poll(now_ns, message)) continue;
    message.port = peer.replica.port;
    message.peer = peer.replica.address;
    SourceLaneProxy(queues_).send_hello(message);
  }
}

bool SessionManager::needs_fresh_proof(const HelloMessage& message) const {
  FrameView frame;
  if (!open_ || decode(message.frame(), frame) != FrameFault::none ||
      frame.type() != wire::Type::hello_ack)
    return false;
  if (body_as<wire::HelloAckBody>(frame).phase != static_cast<std::uint8_t>(wire::Phase::ask))
    return false;
  return std::any_of(peers_.begin(), peers_.end(), [&](const Peer& peer) {
    return comes_from(peer, message) && peer.handshake && peer.handshake->expects(frame);
  });
}

void SessionManager::on_reply(const HelloMessage& message, std::uint64_t now_ns) {
  FrameView frame;
  if (!open_ || decode(message.frame(), frame) != FrameFault::none ||
      frame.type() != wire::Type::hello_ack)
    return;
  for (std::uint32_t i = 0; i < peers_.size(); ++i) {
    Peer& peer = peers_[i];
    if (!comes_from(peer, message) || !peer.handshake) continue;
    if (!peer.handshake->on_reply(frame, message.peer, now_ns)) continue;
    peer.view.refusal = peer.handshake->refusal();
    peer.view.inspection = peer.handshake->inspection();
    peer.view.promised_term = peer.handshake->promised_term();
    peer.view.look = peer.handshake->look();
    peer.view.looks = peer.handshake->looks();
    if (peer.view.look) return;  // no session is wanted
    if (peer.handshake->deposed())
      deposed_by_ = std::max(deposed_by_, peer.handshake->promised_term());
    if (!peer.view.refusal.empty() && peer.view.refusal != peer.logged_refusal)
      log::limited(log::Level::error, "replica_refused", peer.view.name,
                   "no session with replica {}: {}", peer.view.name, peer.view.refusal);
    peer.logged_refusal = peer.view.refusal;
    if (const auto& session = peer.handshake->session()) start_session(i, *session);
    return;
  }
}

void SessionManager::start_session(std::uint32_t index, const SourceHandshake::Session& session) {
  Peer& peer = peers_[index];
  StartSession command;
  command.replica = index;
  command.port = peer.replica.port;
  command.peer = session.peer;
  command.epoch = identity_.epoch;
  command.session_id = session.session_id;
  command.origin = session.origin;
  command.durable = session.durable;
  command.window_end = session.window_end;
  command.journal_id = session.journal_id;
  // A lane that does not take the session never begins it: the handshake begins again.
  if (!SourceLaneProxy(queues_).start_session(command)) return begin(peer);
  peer.view.journal_id = session.journal_id;
  peer.view.session_id = session.session_id;
  peer.view.in_session = true;
  ++peer.view.sessions;
  peer.view.bytes_cut += session.cut;
  log::limited(
      log::Level::info, "session_started", peer.view.name,
      "replica {} (journal {}) holds the stream up to {}; {} un-released bytes were truncated",
      peer.view.name, to_string(session.journal_id),
      to_string(proof_.position_of(session.origin + session.durable.value)), session.cut);
  peer.handshake.reset();
}

void SessionManager::on_event(const SourceEvent& event, std::uint64_t now_ns) {
  if (event.kind == SourceEvent::Kind::stream_stopped || event.replica >= peers_.size() || !open_)
    return;
  Peer& peer = peers_[event.replica];
  begin(peer);
  switch (event.kind) {
    case SourceEvent::Kind::session_lost:
      log::limited(log::Level::warning, "replica_lost", peer.view.name,
                   "replica {} has not answered for {} ms", peer.view.name,
                   kPeerTimeoutNs / kNanosPerMilli);
      break;
    case SourceEvent::Kind::session_purged:
      log::limited(log::Level::error, "stream_unreadable", peer.view.name,
                   "the binlog that replica {} needs cannot be read: {}", peer.view.name,
                   event.error == 0 ? "the file is shorter than it was" : errno_text(event.error));
      peer.handshake->hold_until(now_ns + kRefusedRepeatNs);
      break;
    case SourceEvent::Kind::session_duplicate:
      peer.view.refusal = "another connected replica has the same journal";
      log::limited(log::Level::error, "replica_duplicate", peer.view.name, "replica {} refused: {}",
                   peer.view.name, peer.view.refusal);
      peer.handshake->hold_until(now_ns + kRefusedRepeatNs);
      break;
    case SourceEvent::Kind::journal_failed:
      peer.view.refusal = "its journal's device failed";
      log::limited(log::Level::error, "replica_journal_failed", peer.view.name,
                   "replica {} acknowledges nothing more: {}", peer.view.name, peer.view.refusal);
      peer.handshake->hold_until(now_ns + kRefusedRepeatNs);
      break;
    case SourceEvent::Kind::stream_stopped:
      break;
  }
}

std::vector<SessionManager::ReplicaView> SessionManager::view() const {
  std::vector<ReplicaView> views;
  views.reserve(peers_.size());
  for (const Peer& peer : peers_) views.push_back(peer.view);
  return views;
}

}  // namespace binlane
