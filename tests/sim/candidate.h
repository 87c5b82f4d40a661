// Candidate: a replica's host that is promoted, in virtual time: it fences and inspects its peers
// with production handshakes over the simulated network, lets the production class Promotion judge,
// seals the old stream, has the peers copy it, releases it, and then is the source: a SourceHost
// with a server and binlogs of its own, which begin behind what that server has executed.
//
// Glue: the phases do what Promoter's do, function by function under the same names; of its own
// journal it asks what OwnLog does (replica_own_log.cpp). Keep them alike. Not modelled: a daemon
// that dies in the middle goes on by its record; here its promotion is given up, and the operator
// asks for another, in a later term. The server's execution is coarse (it has executed what was
// archived).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "binlog_store.h"
#include "control/loan.h"
#include "control/promotion.h"
#include "log_server.h"
#include "mysqld.h"
#include "replica_host.h"
#include "source_host.h"

namespace binlane::sim {

struct CandidateOptions {
  SourceHostOptions source;  // what it will be; its local endpoint, peers and rule serve now
  MysqldOptions server;
  // The GTID sequence number behind what the sealed files hold.
  std::function<std::uint64_t(const BinlogStore&)> next_gtid;
};

class Candidate {
 public:
  enum class Phase : std::uint8_t {
    settle,    // own writes in flight end
    inspect,   // peers are fenced and looked at
    fetch,     // one holds more, and lends it
    cut,       // the own log ends at the seal
    cover,     // peers copy up to the seal
    execute,   // the local server executes up to the seal
    active,    // the new stream has begun
    given_up,  // refusal() says why
  };

  // The operator has asked for it.
  Candidate(test::VirtualClock& clock, test::FakeNetwork& network, Random random, Trace& trace,
            ReplicaHost& own, CandidateOptions options);

  std::size_t turn();
  std::uint64_t next_due_ns() const { return server_ ? server_->next_due_ns() : UINT64_MAX; }

  Phase phase() const { return phase_; }
  std::uint32_t term() const { return promise_.term; }
  const Promise& promise() const { return promise_; }
  const std::string& refusal() const { return refusal_; }
  const std::string& better_candidate() const { return better_; }
  const std::string& waiting_for() const { return waiting_for_; }
  const std::vector<std::string>& proof() const { return proof_; }
  const Endpoint& endpoint() const { return options_.source.local; }
  bool listens() const { return source_ ? source_->up() : phase_ < Phase::active; }
  const ReplicaHost& own() const { return own_; }
  const QuorumRule& rule() const { return options_.source.rule; }

  // --- the old stream; null before it was sealed
  Position sealed_at() const { return sealed_at_; }
  Position log_end() const { return log_.end; }  // of the own log, when it was inspected
  const BinlogStore& sealed() const { return sealed_; }
  const PromotionStream& old_stream() const { return log_.stream; }
  // Of the own log, when it was fenced.
  Position released_before() const { return log_.released; }
  // What its daemon shows of its peers.
  std::vector<HandshakeDesk::ReplicaView> peers() { return server_of_old_.desk().view(); }
  // How often it got from another host what that held beside it.
  int fetches() const { return fetches_; }
  // Ever: a candidate that gives up takes nothing back.
  bool released() const { return ever_released_; }

  // --- the new one; null before it is active
  const Uuid& new_origin() const { return new_origin_; }
  SourceHost* source() { return source_.get(); }
  const SourceHost* source() const { return source_.get(); }
  Mysqld* server() { return server_.get(); }
  const Mysqld* server() const { return server_.get(); }
  const BinlogStore& binlogs() const { return binlogs_; }

  // For checks: behind the decision, and when the new source is there but has not begun.
  std::function<void()> on_sealed;
  std::function<void()> on_active;

 private:
  void work(std::uint64_t now_ns);
  std::string check_host() const;
  std::string start_term(std::uint32_t largest_seen);
  void settle(std::uint64_t now_ns);
  bool serve(bool inspecting, std::uint64_t now_ns);
  void inspect(std::uint64_t now_ns);
  void fetch(std::uint64_t now_ns);
  void seal();
  void cut(std::uint64_t now_ns);
  void cover(std::uint64_t now_ns);
  bool stragglers(const SourceMarks& marks, std::uint64_t now_ns);
  void execute();
  void activate();
  void store(PromotionStep step);
  void give_up(const std::string& reason);
  void wait_for(const std::string& what);

  test::VirtualClock& clock_;
  test::FakeNetwork& network_;
  Random random_;
  Trace& trace_;
  ReplicaHost& own_;
  CandidateOptions options_;
  Phase phase_ = Phase::settle;
  PromotionStep step_ = PromotionStep::none;
  const std::uint64_t opening_;  // of the journal; another one is another process
  Promise promise_;
  int attempts_ = 0;
  std::uint64_t control_ns_ = 0;
  std::uint64_t begun_ns_ = 0;
  std::uint64_t proven_ns_ = 0;
  PromotionLog log_;
  StreamIdentity old_stream_;
  bool ever_released_ = false;
  Position whole_groups_;
  Position sealed_at_;
  std::optional<Promotion> promotion_;
  std::vector<std::string> proof_;
  std::string refusal_;
  std::string better_;
  std::string waiting_for_;
  std::optional<Fetch> fetch_;
  int fetches_ = 0;
  BinlogStore sealed_;
  LogServer server_of_old_;  // over those
  // The new source.
  Uuid new_origin_;
  BinlogStore binlogs_;
  std::unique_ptr<Mysqld> server_;
  std::unique_ptr<SourceHost> source_;
};

}  // namespace binlane::sim
