// World: one simulated cluster, from its seed: the source's host with its server, the hosts of
// three to five replicas, the network between them, their operators, and what goes wrong. The
// checks run in every step.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "binlog_store.h"
#include "checks/checks.h"
#include "checks/promotion.h"
#include "fault_plan.h"
#include "host_calls.h"
#include "mysqld.h"
#include "replica_host.h"
#include "source_host.h"
#include "support/fake_network.h"
#include "trace.h"

namespace binlane::sim {

struct WorldOptions {
  std::uint64_t seed = 1;
  bool print = false;
  // The folder of the ledger's file. It is in memory, because this is the one real file.
  std::string directory = "/dev/shm";
  // Scripted tests set these; otherwise the seed decides.
  bool scripted = false;  // only the script's faults
  std::uint32_t replicas = 3;
  std::uint32_t quorum = 2;
  std::uint32_t journal_blocks = 128;
  MysqldOptions server;
  FallbackMode mode = FallbackMode::degrade;
  DegradedRelease degraded_release = DegradedRelease::release;
  bool source_may_rejoin = false;  // the first source's host has a replica's side
};

inline constexpr std::size_t kPromotionPhases =
    static_cast<std::size_t>(Promoter::Phase::activate) + 1;

// On a host with both sides, the port of the side that it does not begin with.
inline constexpr std::uint16_t kOtherPort = 7200;

// Between two requests of the operator for a promotion or a rejoin.
inline constexpr std::uint64_t kAskAgainNs = 500 * kNanosPerMilli;

// The options that a seed stands for.
WorldOptions options_of_seed(std::uint64_t seed);

class World {
 public:
  explicit World(const WorldOptions& options);
  ~World();

  // The whole run: faults, healing, and whether all is well afterwards. Throws Violation.
  void run();

  // --- parts of a run, for scripts
  void step();
  void run_for(std::uint64_t length_ns);
  // Steps until the condition holds. Throws Violation (liveness) if it does not hold within the
  // time.
  void run_until(const std::function<bool()>& condition, std::uint64_t most_ns,
                 const std::string& what);
  bool healthy() const;
  std::string describe() const;
  void begin_fault(const Fault& fault);
  void end_fault(const Fault& fault);
  void heal();
  // Operators repair what only they can repair.
  void operators();
  // An operator asks for the promotion of this replica's host.
  SourceHost& promote(std::size_t replica);
  // The host that was asked last is now the source.
  bool promoted() const;
  // Some replica's medium may have lost what that replica had acknowledged.
  bool media_lied() const;

  const WorldOptions& options() const { return options_; }
  test::VirtualClock& clock() { return clock_; }
  const test::VirtualClock& clock() const { return clock_; }
  Random& random() { return random_; }
  Trace& trace() { return trace_; }
  HostCalls& calls() { return *calls_; }
  test::FakeNetwork& network() { return *network_; }
  // Of the first source.
  BinlogStore& binlogs() { return source_->binlogs(); }
  const BinlogStore& binlogs() const { return source_->binlogs(); }
  Mysqld& server() { return source_->server(); }
  const Mysqld& server() const { return source_->server(); }
  SourceHost& source() { return *source_; }
  const SourceHost& source() const { return *source_; }
  std::vector<std::unique_ptr<ReplicaHost>>& replicas() { return replicas_; }
  const std::vector<std::unique_ptr<ReplicaHost>>& replicas() const { return replicas_; }
  // The replica's side of the first source's host; null: it has none.
  ReplicaHost* source_own() { return source_own_.get(); }
  // The host that was asked last for a promotion; null: none was.
  SourceHost* candidate() { return candidate_; }
  const SourceHost* candidate() const { return candidate_; }
  PromotionChecks* promotion_checks() { return checks_of(candidate_); }
  // The promotion that has sealed the first source's stream, in the latest term; null: none has.
  const PromotionWatch* sealer() const;
  PromotionChecks* sealer_checks();
  PromotionChecks* checks_of(const SourceHost* candidate);
  std::vector<std::unique_ptr<SourceHost>>& candidates() { return candidates_; }
  // The server that wrote the stream of this origin; null: none did.
  Mysqld* server_of(const Uuid& origin);
  // A candidate has sealed the first of these streams, and will begin the second one.
  void on_sealed(const Uuid& old_origin, const Uuid& new_origin) {
    followed_.emplace_back(old_origin, new_origin);
  }
  // The second stream follows the first one, whatever has come between.
  bool follows(const Uuid& before, const Uuid& after) const;
  // A client of the server that writes this stream was answered.
  void on_answer(const Uuid& origin, const Commit& commit);
  Checks& checks() { return *checks_; }
  const std::array<std::uint32_t, kFaultKinds>& fault_counts() const { return fault_counts_; }
  std::uint32_t faults_of(FaultKind kind) const {
    return fault_counts_[static_cast<std::size_t>(kind)];
  }
  // What was seen of how the servers differ from MariaDB 10.11, of all servers.
  TemperamentCounts temperament_counts() const;
  // Changes of settings that a running source accepted, and those that it refused to the end.
  struct SettingCounts {
    std::uint64_t changed = 0;
    std::uint64_t refused = 0;
  };
  const SettingCounts& setting_counts() const { return setting_counts_; }
  // What became of promotions.
  struct PromotionCounts {
    std::uint64_t active = 0;   // candidates that became the source
    std::uint64_t resumed = 0;  // that went on by their record
    std::uint64_t rivals = 0;   // that were asked while another one was at it
    std::uint64_t rejoins = 0;  // hosts that were the source and are replicas again
    std::uint64_t rejoins_refused = 0;
    std::uint64_t first_rejoins = 0;                       // of these, the first source's
    std::array<std::uint64_t, kPromotionPhases> struck{};  // by a fault, in that phase

    PromotionCounts& operator+=(const PromotionCounts& other);
  };
  PromotionCounts promotion_counts() const;
  std::uint64_t virtual_ns() const;

  // While set, packets from one endpoint to another are dropped.
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

  std::string ledger_prefix() const;
  bool listens(const Endpoint& endpoint) const;
  void advance(std::size_t work);
  void run_faults();
  void restarts();
  void mend_trust(ReplicaHost& replica, const BinlogStore& binlogs, const Uuid& origin);
  std::vector<SessionManager::Replica> peers_of(const ReplicaHost& own) const;
  void make_candidates();
  void begin_promotion(const Fault& fault, std::uint64_t back_ns);
  bool strike_promotion(const Fault& fault);
  bool ask_rival(const Fault& fault);
  bool begin_later_promotion(const Fault& fault);
  bool strike_candidate(const Fault& fault);
  bool strike_new_source(const Fault& fault);
  // All that have a replica's side.
  std::vector<SourceHost*> hosts() const;
  bool rejoin(const Fault& fault);
  RejoinOptions next_rejoin(const SourceHost& host, const Fault& fault);
  void rebuild_deposed();
  void lose_machine(SourceHost& candidate, const Fault& fault, bool power);
  std::size_t index_of(const SourceHost& candidate) const;
  std::optional<std::size_t> another_standby(std::uint64_t draw) const;
  void promotions();
  bool ends_promoted();
  bool well_promoted() const;
  ReplicaHost& replica_called(const std::string& name);
  void reseed(ReplicaHost& replica);
  void operators_at_the_seals();
  void operators_of_standbys();
  void operators_behind_promotion();
  bool mend_damaged_source();
  static void lift_forgotten_read_only(SourceHost& source);
  ReplicaHost& pick(const Fault& fault) { return *replicas_[fault.draw % replicas_.size()]; }
  std::vector<Block> partition_of(const Fault& fault) const;
  bool freeze_is_over(const Fault& fault);
  bool change_setting(const Fault& fault);
  static Status change_rule(SourceHost& source, const Fault& fault);
  // Who is the source now, as far as the operator knows.
  SourceHost& source_of_now();

  WorldOptions options_;
  test::VirtualClock clock_;
  std::uint64_t begin_ns_ = 0;
  Random random_;
  Trace trace_;
  std::unique_ptr<HostCalls> calls_;
  std::unique_ptr<test::FakeNetwork> network_;
  std::unique_ptr<ReplicaHost> source_own_;
  std::unique_ptr<SourceHost> source_;
  std::vector<std::unique_ptr<ReplicaHost>> replicas_;
  std::unique_ptr<Checks> checks_;
  // For each replica: the source's side of its host, and the checks of its last promotion.
  std::vector<std::unique_ptr<SourceHost>> candidates_;
  std::vector<std::unique_ptr<PromotionChecks>> promotion_checks_;
  SourceHost* candidate_ = nullptr;
  // Faults.
  std::vector<Fault> plan_;
  std::size_t next_fault_ = 0;
  std::vector<Fault> lasting_;
  std::array<std::uint32_t, kFaultKinds> fault_counts_{};
  bool frozen_ = false;  // source_freeze: the source's machine stands still
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
  std::uint64_t next_rejoin_ns_ = 0;
  std::uint64_t rejoins_seen_ = 0;  // by the faults that ask for them
  std::uint64_t next_change_ns_ = 0;
  std::vector<std::pair<Uuid, Uuid>> followed_;
  bool quiet_ = false;             // clients send nothing more
  bool promotion_wanted_ = false;  // by the operator, though somebody is the source
  PromotionCounts promotion_counts_;
  SettingCounts setting_counts_;
  std::uint64_t next_promotion_ns_ = 0;
  std::uint32_t idle_steps_ = 0;
};

}  // namespace binlane::sim
