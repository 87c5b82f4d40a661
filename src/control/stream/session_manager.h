// SessionManager: the source's handshakes with all its replicas, and the sessions that they lead
// to.
//
// For every replica without a session it keeps a SourceHandshake running, and passes its result to
// the lane. Control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/lane/source_queues.h"
#include "dataplane/session/peer_list.h"
#include "dataplane/session/source_handshake.h"

namespace binlane {

class SessionManager {
 public:
  struct Replica {
    std::string name;
    std::uint32_t port = 0;  // index of the lane's port
    Endpoint address;
  };
  // What is shown of one replica.
  struct ReplicaView {
    std::string name;
    std::string refusal;  // why there is no session; empty while nothing is wrong
    std::optional<Uuid> journal_id;
    std::uint64_t session_id = 0;  // while in session
    std::uint64_t sessions = 0;
    std::uint64_t bytes_cut = 0;
    bool in_session = false;
    // The result of a promotion's inspection.
    std::optional<SourceHandshake::Inspection> inspection;
    std::uint32_t promised_term = 0;
    // The result of the last look at it, and how many have been answered.
    std::optional<SourceHandshake::Look> look;
    std::uint64_t looks = 0;
  };

  // The addresses of these replicas, as their lane hears them.
  static PeerList addresses_of(const std::vector<Replica>& replicas);

  SessionManager(std::vector<Replica> replicas, SourceLogView& proof, SourceLaneQueues& queues);

  // A new incarnation: all sessions are over (the lane has forgotten them), handshakes begin anew.
  // `safe` and `earlier`: what must not be cut, see SourceHandshake.
  void begin_incarnation(const SourceHandshake::Identity& identity, const Position& safe,
                         std::vector<SafeMark> earlier);
  // Asks this replica, from now on, to serve its log; a refusal shows in the view.
  void borrow_from(const std::string& name);
  // No more HELLOs until the next incarnation.
  void close();

  // Another rule, to be recorded at every replica by a new handshake: at once with those that have
  // no session, and with the others one after another, so that a quorum stays in session.
  void change_rule(const std::string& rule, bool alone);
  // The replicas in session that have it on record.
  ReplicaSet holders() const noexcept;
  // Some have still to be told, or are just coming back from it.
  bool changing_rule() const noexcept;

  // Sends the HELLOs that are due.
  void poll(std::uint64_t now_ns);
  // Takes everything that the lane has brought, and then polls; for a promotion, in which nothing
  // else uses it.
  void take_replies(std::uint64_t now_ns);
  // True if the message answers an ASK of ours: the proof must be fresh before on_reply() takes it.
  // Only then, because the lane has to be quiesced for that.
  bool needs_fresh_proof(const HelloMessage& message) const;
  void on_reply(const HelloMessage& message, std::uint64_t now_ns);
  // The lane lost or refused the session.
  void on_event(const SourceEvent& event, std::uint64_t now_ns);

  std::vector<ReplicaView> view() const;
  std::size_t size() const noexcept { return peers_.size(); }
  // Of the session with a replica; 0 if there is none.
  std::uint64_t session_of(std::size_t index) const noexcept {
    const ReplicaView& view = peers_[index].view;
    return view.in_session ? view.session_id : 0;
  }
  const Replica& replica(std::size_t index) const noexcept { return peers_[index].replica; }
  // A replica has promised itself to this term, which is later than ours; 0: none has.
  std::uint32_t deposed_by() const noexcept { return deposed_by_; }

 private:
  struct Peer {
    Replica replica;
    std::optional<SourceHandshake> handshake;
    ReplicaView view;
    std::string logged_refusal;
    std::uint64_t rule_change = 0;       // the change that its handshake has announced
    std::uint64_t renewed_until_ns = 0;  // 0: no session of it was ended for a change
  };
  // The message comes from this replica's address; no other address counts. [S19]
  static bool comes_from(const Peer& peer, const HelloMessage& message) noexcept {
    return message.port == peer.replica.port && message.peer == peer.replica.address;
  }
  void begin(Peer& peer);
  void renew_one(std::uint64_t now_ns);
  void start_session(std::uint32_t index, const SourceHandshake::Session& session);

  std::vector<Peer> peers_;
  SourceLogView& proof_;
  SourceLaneQueues& queues_;
  SourceHandshake::Identity identity_;
  Position safe_;
  std::vector<SafeMark> earlier_;
  std::uint32_t deposed_by_ = 0;
  std::uint64_t rule_changes_ = 0;
  bool open_ = false;
};

}  // namespace binlane
