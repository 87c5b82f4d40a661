// SourceControl: the ordinary thread behind a source's lane.
//
// It finds the server and checks it, begins incarnations, keeps the handshakes with the replicas
// going, watches the server's semi-sync, decides with the fallback state machine, writes ledger and
// state, and tells the lane what it needs to know. The lane never waits for it.
//
// Rules it keeps: S3 (where the dump connection registers), S6 and S7 (what begins an incarnation,
// and that its predecessors' files are synced first), S8 (releases by the server itself), S13
// (degrade: ledger, then OFF), S12 (read_only is lifted when a quorum protects commits), S16.
//
// On a host that is not the source now it keeps the server's semi-sync off (standby), keeps it
// read-only (fenced), or carries out a promotion.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/heartbeat.h"
#include "control/binlog_numbers.h"
#include "control/config.h"
#include "control/degrade_mark.h"
#include "control/exposure_teller.h"
#include "control/fallback_turn.h"
#include "control/fenced_watch.h"
#include "control/fencing.h"
#include "control/handshake_desk.h"
#include "control/host_role.h"
#include "control/incarnation_start.h"
#include "control/ledger.h"
#include "control/lender.h"
#include "control/login_probe.h"
#include "control/other_ackers.h"
#include "control/pause_watch.h"
#include "control/promoter.h"
#include "control/read_only_setter.h"
#include "control/registration_gate.h"
#include "control/rejoiner.h"
#include "control/rule_change.h"
#include "control/server_watch.h"
#include "control/slow_replicas.h"
#include "control/source_lane.h"
#include "control/source_state.h"
#include "control/stranger_watch.h"
#include "control/stream_proof.h"
#include "control/synced_teller.h"
#include "control/write_guard.h"
#include "shim/dump_drain.h"
#include "shim/semi_sync_control.h"
#include "shim/server_connection.h"
#include "shim/server_facts.h"

namespace binlane {

class ReplicaSide;

// Where a source keeps what it must not forget.
std::string state_file_path(const Config& config);
std::string ledger_path(const Config& config);
std::string role_file_path(const Config& config);

class SourceControl {
 public:
  // A transition of the fallback, and when it was by the wall clock.
  struct LoggedTransition {
    FallbackTransition transition;
    std::string at;
  };
  enum class Phase : std::uint8_t {
    looking,  // for the server: not reachable yet
    refused,  // the server or its binlogs are not fit to be a source; `problem` says why
    running,
    standby,    // another host is the source
    promoting,  // this host is about to become it
    fenced,     // this host was the source; a later term has begun
  };
  // What status shows; a consistent copy.
  struct View {
    Phase phase = Phase::looking;
    std::string problem;
    std::string write_problem;  // why the server is kept read-only; empty while it may take writes
    RoleState role;
    bool role_on_record = true;  // false: fenced, and the disk did not take the record
    PromotionView promotion;
    RejoinView rejoin;
    Uuid origin;
    Epoch epoch;
    std::string basename;
    std::string server_version;
    FallbackState state = FallbackState::starting;
    FallbackTransition last_transition;
    // The newest ones, oldest first; with the wall clock's time.
    std::shared_ptr<const std::vector<LoggedTransition>> transitions;
    std::shared_ptr<const Config> config;  // as it is in force
    bool rule_open = false;                // a change of the rule is under way
    std::string rule_before;               // the rule on record
    bool held = false;                     // off because somebody wanted it so
    bool read_only = false;                // made so by Binlane, and the server says that it is so
    std::uint64_t other_ackers = 0;        // semi-sync clients that are not ours
    std::uint32_t newest_binlog = 0;       // its number
    bool numbers_near_end = false;         // and those after it end semi-sync soon, or have
    ReplicaSet slow = 0;
    std::uint64_t slow_times = 0;
    std::uint64_t oldest_wait_ns = 0;
    std::uint64_t recover_hold_ns = 0;
    FallbackCounters counters;  // over all incarnations
    bool blocked = false;
    std::uint64_t state_since_ns = 0;
    SemiSyncStatus server;
    DrainStatus drain;
    SourceMarks marks;
    std::vector<HandshakeDesk::ReplicaView> replicas;
    LedgerTotals ledger;
    std::vector<LedgerInterval> intervals;
    // Why a file cannot be written any more; empty while it can.
    std::string ledger_failure;
    std::string state_failure;
    std::string role_failure;
    // What the last looks at the server have shown, each empty while all is well: that it cannot be
    // asked; that our account cannot log in; what is set otherwise than Binlane has set it; that it
    // is not read-only although mode `fail` has made it so.
    std::string poll_problem;
    std::string login_problem;
    std::vector<std::string> server_differences;
    std::string read_only_problem;
    // Of a standby: why its server does not follow the feed, or does not execute what it gets.
    std::string replication_problem;
    std::uint64_t incarnations = 0;
    std::uint64_t polls = 0;
    std::uint64_t polls_failed = 0;
    std::uint64_t settings_mended = 0;  // times that somebody else's setting was set back
    std::uint64_t lane_stands = 0;      // times the lane had to stand still for this thread
  };

  // Opens state and ledger; throws StartupError when they are damaged. `lane` outlives this.
  // `replica` is the other side of this daemon, if it has one.
  SourceControl(const Config& config, SourceLane& lane,
                std::vector<HandshakeDesk::Replica> replicas, RoleFile& role, ReplicaSide* replica);
  ~SourceControl();
  SourceControl(const SourceControl&) = delete;
  SourceControl& operator=(const SourceControl&) = delete;

  void start();
  // Ends the thread; the lane stands still afterwards. Semi-sync stays as it is in the server: its
  // own timeout is the backstop until a binlaned is back.
  void stop();
  // Any thread.
  View view() const;
  const Heartbeat& heartbeat() const noexcept { return heart_; }
  // Any thread: runs `work` on the control thread in its next turn and gives its answer, or says
  // that the thread did not come to it.
  std::string ask(const std::function<std::string()>& work);
  // Any thread: the settings of `next` that may change live. Empty, or why not.
  std::string change(const Config& next);
  // Any thread: goes on without semi-sync, ledger first; and ends that. Empty, or why not.
  std::string ask_degrade();
  std::string ask_resume();
  // Any thread: the ledger's intervals, and its confirmation by a person.
  std::vector<LedgerInterval> ledger_intervals();
  std::string acknowledge_interval(std::uint64_t id, const std::string& by);
  // Before start(): called on the control thread when a promotion or rejoin that was asked for has
  // ended; the refusal is empty when it was done.
  void on_ended(std::function<void(const char* verb, const std::string& refusal)> ended) {
    ended_ = std::move(ended);
  }
  // Any thread: this host shall become the source. Empty when that was begun, or why not; how it
  // goes on stands in the view.
  std::string ask_promotion(bool dry_run, bool from_live_source);
  // Any thread: the same for a host that was the source and shall be a replica again.
  std::string ask_rejoin(const RejoinOptions& options);
  // Any thread: a source hands out no more quorum, a standby serves no source of this term any
  // more. The report says what was done and how to leave it.
  struct Fenced {
    std::string problem;  // empty: it is fenced
    std::vector<std::string> report;
    bool on_record = true;  // false: a restart of binlaned would forget it
  };
  // With `kill_server` the server's process is ended first, so that no client who waits is told OK
  // (S20).
  Fenced ask_fence(const std::string& reason, bool kill_server);
  // Any thread: ends that on a source, as long as no later term has begun. Empty, or why not.
  std::string ask_unfence();

 private:
  void run();
  void work(std::uint64_t now_ns);
  void look_for_room(std::uint64_t now_ns);
  void work_as_source(std::uint64_t now_ns);
  void work_as_standby(std::uint64_t now_ns);
  void look_at_replication(std::uint64_t now_ns);
  void promote(std::uint64_t now_ns);
  void rejoin(std::uint64_t now_ns);
  void close_ledger_of_old_stream(bool rebuilt);
  void work_as_fenced(std::uint64_t now_ns);
  void watch_fenced_server(std::uint64_t now_ns);
  void begin_watching(const ServerRun& run);
  bool expose_fenced();
  SqlError connect_poller(ServerFacts& facts);
  std::string connect_commands();
  void watch_terms();
  void fence(const FenceCause& cause);
  void ask_read_only();
  std::string keep_read_only();
  void guard_writes(std::uint64_t pause_ns, std::uint64_t now_ns);
  void hold_back_commits(const SemiSyncStatus& status);
  std::string fence_not_on_record() const;
  void record_fencing();
  void record_fence_again(std::uint64_t now_ns);
  std::string waiting_clients() const;
  std::string fence_now(const std::string& reason, bool kill_server,
                        std::vector<std::string>& report);
  std::string fence_by_operator(const std::string& reason, bool kill_server,
                                std::vector<std::string>& report);
  std::string fence_standby(std::vector<std::string>& report);
  std::string lift_fence();
  void lift_read_only();
  void answer_questions();
  std::string apply(const Config& next);
  std::string apply_to_server(const SourceConfig& next);
  std::string begin_rule_change(const SourceConfig& next);
  void watch_slow(const SourceMarks& marks);
  void leave_read_only_mark();
  void remove_read_only_mark();
  bool make_read_only();
  std::optional<QuorumRule> rule_to_begin_with();
  void settle_rule(const SourceMarks& marks);
  void tell_replica_side();
  void look_for_server(std::uint64_t now_ns);
  bool connect_server(ServerFacts& facts);
  RestartProof look_at_restart();
  bool prepare_server(const ServerFacts& facts);
  bool begin_incarnation(const ServerFacts& facts, std::uint64_t now_ns);
  bool adopt(const IncarnationStart& begin, const ServerFacts& facts);
  void end_incarnation(const IncarnationEnd& end);
  SourceHandshake::Identity identity() const;
  std::optional<Registration> registration_for(const ServerFacts& facts);
  void follow_quorum(const SourceMarks& marks);

  void take_lane_events(std::uint64_t now_ns);
  void on_stream_stopped();
  void take_replies(std::uint64_t now_ns);
  bool refresh_proof();
  void poll_server(std::uint64_t now_ns);
  void note_failed_poll(const SqlError& error);
  void read_back(std::uint64_t now_ns);
  std::string mend(ServerSetting setting);
  OwnAcker own_acker() const;
  void watch_numbers(const SourceMarks& marks);
  void keep_degrade_mark();
  void sync_ourselves(const SourceMarks& marks, std::uint64_t now_ns);
  void run_fallback(const SourceMarks& marks);
  bool carry_out(const FallbackAction& action);
  void tell_degraded(bool degraded);
  bool close_intervals(const Position& to);
  void log_transition(const FallbackTransition& transition);
  Position dump_position() const;
  void store(const SourceState& next);
  void store_state(const SourceMarks& marks, std::uint64_t now_ns);
  void refuse(const std::string& problem);
  // The same of a server, or of binlogs, that take commits all the while.
  void refuse_unfit(const std::string& problem);
  void publish();
  bool send(const SourceCommand& command);

  // Our own copy: what may change live changes here, on the control thread.
  Config config_;
  SourceConfig& source_;
  std::shared_ptr<const Config> shown_config_;
  SourceLane& lane_;
  SourceStateFile state_file_;
  Ledger ledger_;
  SourceState state_;
  RoleFile& role_;
  ReplicaSide* const replica_;

  // Of the server.
  ServerConnection poll_connection_;
  ServerConnection command_connection_;
  std::optional<SemiSyncControl> poller_;
  std::optional<SemiSyncControl> commander_;
  DumpDrain drain_;
  SyncedTeller synced_;
  ServerRun run_;
  std::string server_version_;
  std::string directory_;
  SemiSyncStatus server_status_;
  std::optional<ServerPoll> new_poll_;  // since the last turn of the fallback
  AckerWatch acker_watch_;
  BinlogNumbers numbers_;
  std::string binlog_index_;  // the index file's path
  std::uint32_t server_runs_ = 0;
  bool fresh_stream_ = false;  // this incarnation began a new stream
  bool same_run_ = false;      // the server still is the one that the last incarnation was of

  // Of the incarnation.
  std::optional<PosixBinlogFiles> files_;
  std::unique_ptr<PosixStreamProof> proof_;
  std::unique_ptr<HandshakeDesk> desk_;
  std::optional<ExposureTeller> exposures_;
  std::vector<HandshakeDesk::Replica> replicas_;
  StrangerWatch strangers_{"give it as the address of its [[source.replica]]"};
  std::optional<Fallback> fallback_;  // of this incarnation
  FallbackCounters earlier_;          // of those before
  bool degraded_told_ = false;
  std::uint32_t mapped_file_ = 0;  // newest file that the proof's map knows
  NextStream next_stream_;
  Phase phase_ = Phase::looking;
  std::string problem_;
  std::uint64_t next_look_ns_ = 0;
  std::uint64_t rule_number_ = 0;
  std::optional<RuleChange> rule_change_;  // one while running
  bool rule_open_ = false;    // two rules are in force: the one on record, and the new one
  Position rule_must_cover_;  // what the old rule alone has had acknowledged
  bool read_only_ = false;    // of the server when the incarnation began; until it is lifted
  std::uint64_t next_poll_ns_ = 0;
  FencedWatch fenced_watch_;
  Position fenced_from_;          // a quorum has had everything before it
  bool fencing_recorded_ = true;  // in the ledger
  std::uint64_t next_record_ns_ = 0;
  std::uint64_t next_room_ns_ = 0;
  std::uint64_t next_store_ns_ = 0;
  std::string state_failure_;  // why it could not be stored; what is on record stays
  std::string poll_problem_;   // why the last look at the server failed
  ServerWatch server_watch_;
  LoginProbe login_;
  std::uint64_t incarnations_ = 0;
  std::uint64_t polls_ = 0;
  std::uint64_t polls_failed_ = 0;
  SlowReplicas slow_;
  ReplicaSet slow_told_ = 0;
  ReadOnlySetter read_only_setter_;
  std::string read_only_said_;     // why it could not be made read-only, as last logged
  bool made_read_only_ = false;    // by us: until a quorum protects commits again
  bool read_only_marked_ = false;  // and that is in a file, for after a restart
  bool read_only_mark_failed_ = false;
  bool read_only_seen_ = false;          // the server has said that it is
  bool read_only_until_answer_ = false;  // made so because this host stood still (S21)
  PauseWatch pause_watch_;
  WriteGuard guard_;
  std::string guard_problem_;  // why the server takes no writes; empty while it may
  std::uint64_t next_guard_ns_ = 0;
  bool commits_held_back_ = false;  // while FENCED: at this run of the server
  DegradeMark degrade_mark_;
  std::shared_ptr<const std::vector<LoggedTransition>> transitions_;
  std::uint64_t dump_connections_ = 0;  // as last logged
  // All where there is a replica's side.
  std::optional<Promoter> promoter_;
  std::optional<Lender> lender_;
  std::optional<Rejoiner> rejoiner_;

  RegistrationGate<ServerRun> registration_;

  // Shared with those who ask, and with the drain's thread, which wakes this one.
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  struct Question {
    std::function<std::string()> work;
    std::string answer;
    bool taken = false;
    bool done = false;
  };
  std::vector<std::shared_ptr<Question>> questions_;
  std::condition_variable answered_;
  bool promotion_asked_ = false;
  bool plan_asked_ = false;  // a dry run
  std::function<void(const char* verb, const std::string& refusal)> ended_;
  bool promotion_audited_ = true;  // the end of the last one that was asked for
  bool from_live_source_asked_ = false;
  std::optional<RejoinOptions> rejoin_asked_;
  std::uint64_t rejoin_asked_ns_ = 0;
  std::string rejoining_for_;  // what a rejoin waits for at the server; control thread
  // Of a standby's server: as last looked at, and as shown, which is what two looks agree about.
  std::string replication_seen_;
  std::string replication_problem_;
  std::uint64_t next_replication_look_ns_ = 0;
  View view_;
  Heartbeat heart_;
  std::thread thread_;
};

}  // namespace binlane
