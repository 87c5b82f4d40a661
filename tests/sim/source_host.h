// SourceHost: a machine that is the source or may become it, in virtual time: its server, and the
// daemon's own control (RoleController) and lane. What is outside these is the simulator's:
// network, binlogs, disk, clock and server; and turn() stands for the threads.
//
// With a replica's side (ReplicaHost) it is one daemon with that side, which is killed and started
// with it, and an operator may have it promoted, or rejoin.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "binlog_store.h"
#include "control/config/config.h"
#include "control/source/role_controller.h"
#include "host_files.h"
#include "host_folders.h"
#include "mysqld.h"
#include "promotion_watch.h"
#include "random.h"
#include "replica_host.h"
#include "sim_lane.h"
#include "sim_mark.h"
#include "sim_server.h"
#include "sim_standby.h"
#include "sim_stopped.h"
#include "support/fake_network.h"
#include "trace.h"

namespace binlane::sim {

inline constexpr const char* kDataFolder = "data";

struct SourceHostOptions {
  std::string name = "s";
  Endpoint local{1, 7100};
  QuorumRule rule;
  FallbackOptions fallback;
  DegradedRelease degraded_release = DegradedRelease::release;
  WaitPoint wait_point = WaitPoint::after_sync;
  std::vector<SessionManager::Replica> replicas;
  std::string ledger_path;
  bool standby = false;  // the key: as what the host begins
};

class SourceHost final : private OtherSide {
 public:
  // `own`: the replica's side of the same daemon, or null. Everything given must outlive this
  // object.
  SourceHost(test::VirtualClock& clock, test::FakeNetwork& network, Random random, Trace& trace,
             SourceHostOptions options, const MysqldOptions& server, ReplicaHost* own);
  ~SourceHost() override;

  // --- the machine
  Mysqld& server() { return server_; }
  const Mysqld& server() const { return server_; }
  BinlogStore& binlogs() { return binlogs_; }
  const BinlogStore& binlogs() const { return binlogs_; }
  void cut_power(Random& random);
  // The server, if it writes binlogs of its own and does not run.
  void start_server();
  // The same, and then the daemon.
  void start_machine();
  std::uint64_t next_due_ns() const { return server_.next_due_ns(); }

  // --- the daemon
  void start();
  void kill();
  bool up() const { return daemon_ != nullptr; }
  std::size_t turn();
  // When it last polled the server's settings.
  std::uint64_t looked_ns() const { return polled_ns_; }
  // Whether its last poll of the server's clients shows if all of them are ours.
  bool looked_settled() const { return polled_settled_; }
  const Endpoint& endpoint() const { return options_.local; }
  std::uint64_t paused_until_ns = 0;  // SIGSTOP
  void pause_until(std::uint64_t until_ns);
  const QuorumRule& rule() const { return options_.rule; }
  const FallbackOptions& fallback_options() const { return options_.fallback; }
  // The operator changes the configuration; while the daemon is there, only as far as it agrees.
  Status change(const std::function<void(SourceHostOptions&)>& how);

  // --- with a replica's side
  ReplicaHost& own() { return *own_; }
  const ReplicaHost& own() const { return *own_; }
  // The operator asks for this host's promotion, under this rule.
  void promote(const QuorumRule& rule);
  // It has begun a stream of its own, and has not rejoined since.
  bool begun() const { return role_->state().role != HostRole::standby; }
  // A promotion is in progress; while the daemon is down, it goes on, or is given up, when it is
  // back.
  bool in_progress() const;
  bool gave_up() const { return asked_ && !in_progress() && !begun(); }
  // What the daemon shows of the last promotion, if there is a daemon.
  PromotionView view() const;
  std::vector<SessionManager::ReplicaView> peers() const;
  Promoter::Phase phase() const { return promotion_.phase(); }
  PromotionWatch& promotion() { return promotion_; }
  const PromotionWatch& promotion() const { return promotion_; }
  // It has begun a stream, and a later term has begun since.
  bool deposed() const { return own_ != nullptr && up() && fenced(); }
  // The operator has it rejoin; for `rebuilt` the server gets a copy of another one first.
  void rejoin(const RejoinOptions& options);
  // The last request, until the host is a standby or the daemon dies.
  struct AskedRejoin {
    RejoinOptions options;
    std::string refusal;  // empty: it is in progress
  };
  const std::optional<AskedRejoin>& asked_rejoin() const { return asked_rejoin_; }
  bool rejoining() const { return asked_rejoin_ && asked_rejoin_->refusal.empty(); }
  // How often a promotion of this host went on by its record, and how often the host rejoined.
  std::uint64_t resumed() const { return resumed_; }
  std::uint64_t rejoins() const { return rejoins_; }

  // --- faults
  bool state_failing = false;
  std::uint64_t role_failing_until_ns = 0;
  static void fail_ledger(int error);  // an errno; 0: it works
  static bool ledger_fails();
  // An operator removes source.state, as the daemon asks, so that a new stream begins.
  void forget_state() { state_bytes_.reset(); }

  // --- for checks
  bool running() const { return incarnation() != nullptr && !incarnation()->ended(); }
  // The term that ended ours; 0: none has, as far as this host knows.
  std::uint32_t fenced_by() const { return role_->state().fenced_by; }
  bool fenced() const { return role_->state().role == HostRole::fenced; }
  bool role_on_record() const { return role_->on_record(); }
  // How often the daemon has written the role, whether its disk took it or not.
  std::uint64_t role_writes() const { return role_writes_; }
  const WriteGuard& guard() const;
  // The daemon has said that after a restart an operator may have to lift read_only.
  bool read_only_unmarked() const { return read_only_mark_.is_missing(); }
  // For an operator, or because of a later term.
  void fence(const FenceCause& cause);
  std::string problem() const;
  const std::optional<SourceState>& state() const { return state_; }
  FallbackState fallback_state() const;
  // The server, or the lane, may be releasing commits without a quorum.
  bool degraded() const;
  Uuid origin() const { return state_ ? state_->origin : Uuid{}; }
  Position stream_start() const { return state_ ? state_->stream_start : Position{}; }
  bool blocked() const;
  const Ledger* ledger() const;
  Epoch epoch() const { return state_ ? state_->epoch : Epoch{}; }
  const QuorumRule& rule_in_force() const { return rule_in_force_; }
  SourceMarks marks() const;
  // The end of what the lane reads; null while it reads nothing.
  Position written() const;
  std::vector<SessionManager::ReplicaView> replicas() const;
  std::uint64_t incarnations() const;
  std::uint64_t starts() const { return starts_; }  // of the daemon
  std::function<void(Position)> told;
  // Called before the server is told to release waiting commits.
  std::function<void()> turning_off;
  // The host has become the source, and its first incarnation has not begun.
  std::function<void()> on_active;
  // It has rejoined, and its server still has what it wrote, unless it was rebuilt.
  std::function<void(bool rebuilt)> on_rejoined;

 private:
  struct Daemon;
  // --- OtherSide
  void make() override;
  void begin() override;
  void end() override;
  void control();
  const SourceIncarnation* incarnation() const;
  const Promoter* promoter() const;
  void open_role();
  void watch_rule();
  void watch_role();
  bool role_failing() const { return clock_.time_ns < role_failing_until_ns; }
  StateMedium state_medium();
  Config config(const SourceHostOptions& options) const;

  test::VirtualClock& clock_;
  test::FakeNetwork& network_;
  Random random_;
  Trace& trace_;
  SourceHostOptions options_;
  ReplicaHost* const own_;
  HostFiles no_files_;  // without a replica's side nothing but the server has files
  HostFolders folders_;
  // What outlives the daemon; the ledger has a file of its own.
  BinlogStore binlogs_;
  Mysqld server_;
  std::optional<SimStandby> standby_;
  std::optional<SimStopped> stopped_;
  std::optional<std::vector<std::byte>> state_bytes_;
  std::optional<std::vector<std::byte>> role_bytes_;
  SimMark read_only_mark_{"read_only.mark", [this] { return role_failing(); }};
  SimMark degrade_mark_{"degrade.mark", [this] { return role_failing(); }};
  // The last one that was stored or loaded.
  std::optional<SourceState> state_;
  std::optional<RoleFile> role_;
  QuorumRule rule_in_force_;
  bool rule_changes_ = false;  // to the one in the options
  std::unique_ptr<Daemon> daemon_;
  std::uint64_t control_ns_ = 0;
  std::uint64_t polled_ns_ = 0;
  bool polled_settled_ = false;
  std::uint64_t role_writes_ = 0;
  bool degraded_ = false;  // whether it was degraded when the daemon was killed
  std::uint64_t incarnations_ = 0;
  std::uint64_t starts_ = 0;
  // With a replica's side.
  HostRole seen_role_ = HostRole::source;  // after the last turn
  bool asked_ = false;                     // for a promotion, since it is a standby
  std::optional<AskedRejoin> asked_rejoin_;
  PromotionWatch promotion_;
  std::uint64_t resumed_ = 0;
  std::uint64_t rejoins_ = 0;
};

}  // namespace binlane::sim
