// World: one simulated cluster, from its seed: a source's host with its server, three to five
// replicas' hosts, the network between them, their operators, and what goes wrong. The checks run
// with every step.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "binlog_store.h"
#include "candidate.h"
#include "checks/checks.h"
#include "checks/promotion.h"
#include "fault_plan.h"
#include "host_calls.h"
#include "lender.h"
#include "mysqld.h"
#include "replica_host.h"
#include "source_host.h"
#include "support/fake_network.h"
#include "trace.h"

namespace binlane::sim {

struct WorldOptions {
  std::uint64_t seed = 1;
  bool print = false;
  // Where the ledger's file is put; in memory, for it is the one real file.
  std::string directory = "/dev/shm";
  // Scripted tests set these; otherwise the seed decides.
  bool scripted = false;  // no faults but those of the script
  std::uint32_t replicas = 3;
  std::uint32_t quorum = 2;
  std::uint32_t journal_blocks = 128;
  MysqldOptions server;
  FallbackMode mode = FallbackMode::degrade;
};

// The options that a seed stands for.
WorldOptions options_of_seed(std::uint64_t seed);

class World {
 public:
  explicit World(const WorldOptions& options);
  ~World();

  // The whole run: faults, healing, liveness. Throws Violation.
  void run();

  // --- pieces of it, for scripts
  void step();
  void run_for(std::uint64_t length_ns);
  // Steps until it holds; throws Violation (liveness) when it does not within the time.
  void run_until(const std::function<bool()>& condition, std::uint64_t most_ns,
                 const std::string& what);
  bool healthy() const;
  std::string describe() const;
  void begin_fault(const Fault& fault);
  void end_fault(const Fault& fault);
  void heal();
  // Operators mend what only they can.
  void operators();
  // An operator asks for the promotion of this replica's host. Once more when one was refused.
  Candidate& promote(std::size_t replica);
  // One was, and is the source.
  bool promoted() const;
  // Some replica's medium may have lost what it had said to be safe.
  bool media_lied() const;

  const WorldOptions& options() const { return options_; }
  test::VirtualClock& clock() { return clock_; }
  const test::VirtualClock& clock() const { return clock_; }
  Random& random() { return random_; }
  Trace& trace() { return trace_; }
  HostCalls& calls() { return *calls_; }
  test::FakeNetwork& network() { return *network_; }
  BinlogStore& binlogs() { return binlogs_; }
  const BinlogStore& binlogs() const { return binlogs_; }
  Mysqld& server() { return *server_; }
  const Mysqld& server() const { return *server_; }
  SourceHost& source() { return *source_; }
  const SourceHost& source() const { return *source_; }
  std::vector<std::unique_ptr<ReplicaHost>>& replicas() { return replicas_; }
  const std::vector<std::unique_ptr<ReplicaHost>>& replicas() const { return replicas_; }
  // Null while nobody was asked to be promoted.
  Candidate* candidate() { return candidate_.get(); }
  const Candidate* candidate() const { return candidate_.get(); }
  PromotionChecks* promotion_checks() { return promotion_checks_.get(); }
  Checks& checks() { return *checks_; }
  const std::array<std::uint32_t, kFaultKinds>& fault_counts() const { return fault_counts_; }
  std::uint64_t virtual_ns() const;

  // Blocks packets from one endpoint to another while set.
  struct Block {
    std::uint32_t from = 0;  // ipv4; 0: any
    std::uint32_t to = 0;
    bool operator==(const Block&) const = default;
  };
  std::vector<Block> blocks;

 private:
  struct Restart {
    std::uint64_t at_ns = UINT64_MAX;
    bool wanted() const { return at_ns != UINT64_MAX; }
  };

  bool listens(const Endpoint& endpoint) const;
  void advance(std::size_t work);
  void run_faults();
  void restarts();
  void mend_trust(ReplicaHost& replica, const BinlogStore& binlogs, const Uuid& origin);
  std::vector<HandshakeDesk::Replica> peers_of(const ReplicaHost& own) const;
  void make_lenders();
  void begin_promotion(const Fault& fault, std::uint64_t back_ns);
  void promotions();
  bool ends_promoted();
  bool well_promoted() const;
  ReplicaHost& replica_called(const std::string& name);
  void reseed(ReplicaHost& replica);
  void operators_at_the_seal();
  void operators_behind_promotion();
  bool mend_damaged_source();
  ReplicaHost& pick(const Fault& fault) { return *replicas_[fault.draw % replicas_.size()]; }
  std::vector<Block> partition_of(const Fault& fault) const;
  bool freeze_is_over(const Fault& fault);

  WorldOptions options_;
  test::VirtualClock clock_;
  std::uint64_t begin_ns_ = 0;
  Random random_;
  Trace trace_;
  std::unique_ptr<HostCalls> calls_;
  std::unique_ptr<test::FakeNetwork> network_;
  BinlogStore binlogs_;
  std::unique_ptr<Mysqld> server_;
  std::unique_ptr<SourceHost> source_;
  std::vector<std::unique_ptr<ReplicaHost>> replicas_;
  std::vector<std::unique_ptr<Lender>> lenders_;  // one a replica
  std::unique_ptr<Checks> checks_;
  std::unique_ptr<Candidate> candidate_;
  std::unique_ptr<PromotionChecks> promotion_checks_;
  // Faults.
  std::vector<Fault> plan_;
  std::size_t next_fault_ = 0;
  std::vector<Fault> lasting_;
  std::array<std::uint32_t, kFaultKinds> fault_counts_{};
  bool frozen_ = false;  // source_freeze: it stands still
  bool waking_ = false;
  std::uint64_t thaw_ns_ = 0;
  std::uint64_t hears_again_ns_ = 0;
  Restart server_restart_;
  Restart source_restart_;
  std::vector<Restart> replica_restarts_;
  std::uint64_t next_operators_ns_ = 0;
  bool promotion_asked_ = false;
  std::size_t next_candidate_ = 0;
  std::uint64_t promotions_tried_ = 0;
  std::uint64_t next_promotion_ns_ = 0;
  std::uint32_t idle_steps_ = 0;
};

}  // namespace binlane::sim
