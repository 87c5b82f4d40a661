// RoleController: does what a host's role asks for. As a source the host runs one incarnation after
// another; as a standby it can be promoted, and serves its log to a candidate; as a FENCED host it
// waits for an operator. The role itself is kept in one place, the record of HostRole (RoleFile).
//
// It belongs to one thread, the source's control thread. The simulator calls it without a thread.
// [S1: a fence never opens by itself, S12: read_only is lifted last, S18: a fence waits for no
// disk, S20, S21]
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/config/config.h"
#include "control/failover/fitness_watch.h"
#include "control/failover/log_donor.h"
#include "control/failover/promoter.h"
#include "control/failover/rejoiner.h"
#include "control/failover/standby_server.h"
#include "control/failover/stopped_server.h"
#include "control/fallback/fencing.h"
#include "control/source/fenced_source.h"
#include "control/source/guarded_writes.h"
#include "control/source/incarnation_starter.h"
#include "control/source/mark_remover.h"
#include "control/source/source_view.h"
#include "control/source/standby_watch.h"

namespace binlane {

class ReplicaSide;

class RoleController {
 public:
  // Called when a promotion or rejoin that an operator asked for has ended. An empty refusal means
  // that it succeeded.
  using Ended = std::function<void(const char* verb, const std::string& refusal)>;

  // What a daemon with a replica's side has besides: that side, and its server, running or stopped.
  struct Beside {
    ReplicaSide& replica;
    StandbyServer& server;
    StoppedServer& stopped;
  };

  // `beside` is nothing if there is no replica's side. Everything given must outlive this object.
  RoleController(const Config& config, SourceParts& parts, const std::optional<Beside>& beside);
  RoleController(const RoleController&) = delete;
  RoleController& operator=(const RoleController&) = delete;

  void on_ended(Ended ended) { ended_ = std::move(ended); }
  // Once, before the first turn: continues what is on record.
  void begin();
  // `pause_ns`: how long this process was suspended since the last turn.
  void turn(std::uint64_t now_ns, std::uint64_t pause_ns);
  void show(SourceView& view) const;

  // --- what an operator may ask for; ok means done, or, for promote and rejoin, begun
  Status change(const Config& next);
  Status degrade();
  Status resume();
  Status promote(bool dry_run, bool from_live_source);
  Status rejoin(const RejoinOptions& options);
  // The report says what was done, and how the fence ends. With `kill_server` the server's process
  // is killed first, so that no client that waits gets OK. [S20]
  Result<std::vector<std::string>> fence(const std::string& reason, bool kill_server);
  Status lift_fence();
  Ledger& ledger() noexcept { return parts_.records.ledger(); }

  // Fences a source, because of a later term or for an operator.
  void fence_source(const FenceCause& cause);

  // --- for the simulator's checks
  const SourceIncarnation* incarnation() const noexcept { return incarnation_.get(); }
  // Null while none runs.
  const SourceIncarnation* running() const noexcept {
    return incarnation_ && !incarnation_->ended() ? incarnation_.get() : nullptr;
  }
  const WriteGuard& guard() const noexcept { return writes_.guard(); }
  // Null if there is no replica's side.
  const Promoter* promoter() const noexcept { return promoter_ ? &*promoter_ : nullptr; }
  const std::string& problem() const noexcept { return problem_; }
  std::uint64_t incarnations() const noexcept { return totals_.incarnations; }

 private:
  HostRole role() const noexcept { return parts_.role.state().role; }
  SourceIncarnation* running() noexcept {
    return incarnation_ && !incarnation_->ended() ? incarnation_.get() : nullptr;
  }
  void work_as_source(std::uint64_t now_ns);
  void work_as_standby(std::uint64_t now_ns);
  void work_as_fenced(std::uint64_t now_ns);
  void begin_incarnation(std::uint64_t now_ns);
  void end_degrade_mark(std::uint64_t now_ns);
  void end_incarnation(const IncarnationEnd& end);
  void watch_terms();
  void tell_replica_side();
  // Forgets the last problem, so that whatever is due next is done at once.
  void start_over();
  SourcePhase phase() const;
  void show_headless_binlog(SourceView& view) const;

  void work_on_promotion(std::uint64_t now_ns);
  void take_over();
  bool work_on_rejoin(std::uint64_t now_ns);
  void close_ledger_of_old_stream(bool rebuilt);
  Status apply_to_server(const SourceConfig& next);
  Result<std::vector<std::string>> fence_own_source(const std::string& reason, bool kill_server);
  Result<std::vector<std::string>> fence_standby();
  Result<std::string> kill_server(const std::string& reason);
  std::string fence_not_on_record() const;

  // A copy of our own, in which live changes of settings are made.
  Config config_;
  std::shared_ptr<const Config> shown_config_;
  SourceParts& parts_;
  ReplicaSide* const replica_;
  StoppedServer* const stopped_;
  ServerSight sight_;
  SourceTotals totals_;
  TransitionLog transitions_;
  StrangerWatch strangers_{"configure that address for its [[source.replica]]"};
  IncarnationStarter starter_;
  std::unique_ptr<SourceIncarnation> incarnation_;  // the last one remains until the next begins
  GuardedWrites writes_;
  std::optional<FencedSource> fenced_;  // while FENCED
  StandbyWatch standby_;
  MarkRemover degrade_mark_;
  // These have a value if there is a replica's side.
  std::optional<Promoter> promoter_;
  std::optional<LogDonor> donor_;
  std::optional<Rejoiner> rejoiner_;
  std::optional<FitnessWatch> fitness_;
  struct WantedRejoin {
    RejoinOptions options;
    std::uint64_t since_ns = 0;
  };
  std::optional<WantedRejoin> wanted_rejoin_;
  std::string rejoining_for_;      // what a rejoin still waits for at the server
  bool promotion_audited_ = true;  // the end of the last promotion that was asked for was reported
  Ended ended_;
  bool refused_ = false;  // the server or its binlogs are refused; problem_ says why
  std::string problem_;
  std::uint64_t next_look_ns_ = 0;
};

}  // namespace binlane
