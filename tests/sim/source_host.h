// SourceHost: a source's machine in virtual time, its server aside: the real lane (duty cycle,
// tailer, reader, sessions, gate), handshakes, fallback state machine, ledger, confirmer of
// `synced`, and state. The host's role, and what is about read_only, is in source_role.cpp.
//
// control() stands for SourceControl's thread: it calls the same pieces in the same order. Drain
// and Link stand for DumpDrain and SemiSyncLink.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "binlog_store.h"
#include "control/binlog_numbers.h"
#include "control/exposure_teller.h"
#include "control/fallback_turn.h"
#include "control/fenced_watch.h"
#include "control/fencing.h"
#include "control/handshake_desk.h"
#include "control/host_role.h"
#include "control/incarnation_start.h"
#include "control/ledger.h"
#include "control/other_ackers.h"
#include "control/registration_gate.h"
#include "control/source_stream.h"
#include "control/stream_proof.h"
#include "control/synced_teller.h"
#include "control/write_guard.h"
#include "dataplane/source_cycle.h"
#include "mysqld.h"
#include "random.h"
#include "support/fake_network.h"
#include "trace.h"

namespace binlane::sim {

struct SourceHostOptions {
  std::string name = "s";
  Endpoint local{1, 7100};
  QuorumRule rule;
  FallbackOptions fallback;
  std::vector<HandshakeDesk::Replica> replicas;
  std::string ledger_path;
  Uuid host_id;                 // names this host as a candidate for ever
  bool standby_beside = false;  // a replica's side runs on the same host
  // The stream that a promotion of this host sealed; null: none.
  Uuid sealed_origin;
  std::uint32_t sealed_term = 0;
  Position sealed_at;
};

// Stands for the drain thread: the dump connection as the lane and control see it.
struct Drain {
  struct Ack {
    std::uint64_t due_ns = 0;
    Position position;
  };
  bool connected = false;
  std::uint32_t generation = 0;
  std::uint32_t incarnation = 0;
  Position start;
  std::uint32_t run = 0;     // of the server
  std::uint64_t resets = 0;  // of the server, when it began
  Position position;         // everything before it came down
  std::uint64_t retry_ns = 0;
  std::deque<Ack> acks;  // on the socket
};

// Stands for SemiSyncLink and AckSender: the same rules, without a socket.
class Link {
 public:
  Link(Drain& drain, const test::VirtualClock& clock) : drain_(drain), clock_(clock) {}
  std::size_t poll(const Position& quorum) noexcept;
  void pause() noexcept { paused_ = true; }
  void resume() noexcept {
    paused_ = false;
    last_ = {};
  }
  void begin_incarnation(std::uint32_t incarnation) noexcept { incarnation_ = incarnation; }
  // Sees what is told to the server as having its quorum.
  std::function<void(Position)> told;

 private:
  static constexpr std::uint64_t kSocketNs = 20'000;
  Drain& drain_;
  const test::VirtualClock& clock_;
  std::uint32_t incarnation_ = 0;
  std::uint32_t generation_ = 0;
  bool paused_ = false;
  Position last_;
};
static_assert(SemiSyncServer<Link>);

class SourceHost {
 public:
  using Stream = SourceStream<BinlogView>;
  using Cycle = SourceCycle<test::FakePort, Stream, Link, test::VirtualClock>;

  SourceHost(test::VirtualClock& clock, test::FakeNetwork& network, Random random, Trace& trace,
             BinlogStore& binlogs, Mysqld& server, SourceHostOptions options);
  ~SourceHost();

  // --- the daemon
  void start();
  void kill();
  bool up() const { return queues_ != nullptr; }
  std::size_t turn();
  // When it last looked at the server's settings.
  std::uint64_t looked_ns() const { return looked_ns_; }
  // Its last look at the server's clients was one that shows whether all of them are ours.
  bool looked_settled() const { return looked_settled_; }
  const Endpoint& endpoint() const { return options_.local; }
  std::uint64_t paused_until_ns = 0;
  QuorumRule& rule() { return options_.rule; }  // counts from the next start on

  // --- faults
  bool state_failing = false;
  bool role_failing = false;
  static void fail_ledger(int error);  // an errno; 0: it works
  static bool ledger_fails();
  // The operator removes what the daemon asks him to remove, for a new beginning.
  void forget_state() { state_bytes_.reset(); }
  // What a promotion has put on record, before the first start as a source.
  void adopt_state(const SourceState& state) { state_bytes_ = encode_source_state(state); }

  // --- for checks
  bool running() const { return phase_ == Phase::running; }
  // The term that ended our own; 0: none has, as far as we know.
  std::uint32_t fenced_by() const { return role_->state().fenced_by; }
  bool fenced() const { return role_->state().role == HostRole::fenced; }
  bool role_on_record() const { return role_->on_record(); }
  const WriteGuard& guard() const { return guard_; }
  // An operator's, or a later term's.
  void fence(const FenceCause& cause);
  const std::string& problem() const { return problem_; }
  const std::optional<SourceState>& state() const { return shown_state_; }
  FallbackState fallback_state() const;
  // The server, or the lane, may be releasing without a quorum.
  bool degraded() const { return degraded_told_ || (fallback_ && fallback_->degraded()); }
  const Uuid& origin() const { return state_.origin; }
  Position stream_start() const { return state_.stream_start; }
  bool blocked() const { return fallback_ && fallback_->blocked(); }
  const Ledger* ledger() const { return ledger_.get(); }
  Epoch epoch() const { return state_.epoch; }
  const QuorumRule& rule_in_force() const { return rule_in_force_; }
  SourceMarks marks() const;
  // The end of what the lane reads; null while it does not.
  Position written() const { return stream_ ? stream_->tailer().written_position() : Position{}; }
  std::vector<HandshakeDesk::ReplicaView> replicas() const;
  std::uint64_t incarnations() const { return incarnations_; }
  std::uint64_t starts() const { return starts_; }  // of the daemon
  std::function<void(Position)> told;
  // Before the server is told to let waiters go.
  std::function<void()> turning_off;

 private:
  // Of the server.
  struct Run {
    std::uint32_t number = 0;
    bool is_same_as(const Run& other) const { return number == other.number; }
  };
  enum class Phase : std::uint8_t { looking, refused, running, fenced };

  void control();
  void watch_terms();
  void open_role();
  void ask_read_only();
  void record_fencing();
  void record_fence_again(std::uint64_t now_ns);
  void guard_writes(std::uint64_t pause_ns);
  void work_as_fenced();
  void watch_fenced_server(std::uint64_t now_ns);
  void begin_watching();
  bool expose_fenced();
  void lift_read_only();
  bool make_read_only();
  void look_for_server(std::uint64_t now_ns);
  bool begin_incarnation(std::uint64_t now_ns);
  void end_incarnation(const IncarnationEnd& end);
  void bind_lane();
  void take_lane_events(std::uint64_t now_ns);
  void on_stream_stopped();
  void take_replies(std::uint64_t now_ns);
  void refresh_proof();
  void poll_server(std::uint64_t now_ns);
  void sync_ourselves(const SourceMarks& marks, std::uint64_t now_ns);
  void run_fallback(const SourceMarks& marks);
  bool carry_out(const FallbackAction& action);
  void tell_degraded(bool degraded);
  bool close_intervals(const Position& to);
  Position dump_position() const;
  void store_state(const SourceMarks& marks, std::uint64_t now_ns);
  int store(const SourceState& next);
  void refuse(const std::string& problem);
  void refuse_unfit(const std::string& problem);
  void drain_turn();
  void leave_dump();
  void stand_still();
  SyncResult sync_files(std::uint32_t first, std::uint32_t last);

  test::VirtualClock& clock_;
  Random random_;
  Trace& trace_;
  BinlogStore& binlogs_;
  Mysqld& server_;
  SourceHostOptions options_;
  test::FakePort port_;
  test::FakePort* ports_[1] = {&port_};
  // What survives the daemon; the ledger has a file of its own.
  std::optional<std::vector<std::byte>> state_bytes_;
  std::optional<SourceState> shown_state_;
  std::optional<std::vector<std::byte>> role_bytes_;
  bool read_only_marked_ = false;
  // The daemon.
  std::optional<RoleFile> role_;
  std::uint64_t role_failed_ = 0;
  FencedWatch fenced_watch_;
  Position fenced_from_;
  bool fencing_recorded_ = true;
  std::uint64_t next_record_ns_ = 0;
  std::uint64_t next_room_ns_ = 0;
  bool fenced_status_on_ = false;  // as last polled
  PauseDetector pauses_;
  WriteGuard guard_;
  bool made_read_only_ = false;
  bool read_only_until_answer_ = false;
  bool read_only_ = false;  // the server was, when the incarnation began
  bool state_failed_ = false;
  SourceState state_;
  std::unique_ptr<Ledger> ledger_;
  BinlogView view_;
  Drain drain_;
  std::unique_ptr<SourceLaneQueues> queues_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Link> link_;
  std::unique_ptr<Cycle> cycle_;
  std::unique_ptr<FileStreamProof<BinlogView>> proof_;
  std::unique_ptr<HandshakeDesk> desk_;
  std::optional<ExposureTeller> exposures_;
  std::optional<Fallback> fallback_;
  SyncedTeller synced_;
  QuorumRule rule_in_force_;
  Phase phase_ = Phase::looking;
  std::string problem_;
  std::uint64_t control_ns_ = 0;
  std::uint64_t next_look_ns_ = 0;
  std::uint64_t next_poll_ns_ = 0;
  std::uint64_t next_store_ns_ = 0;
  std::uint64_t looked_ns_ = 0;
  bool looked_settled_ = false;
  std::uint64_t drain_since_ns_ = 0;
  AckerWatch acker_watch_;
  BinlogNumbers numbers_;
  std::uint32_t run_ = 0;  // of the server
  std::uint32_t server_runs_ = 0;
  std::optional<ServerPoll> new_poll_;
  bool fresh_stream_ = false;
  bool same_run_ = false;
  bool degraded_told_ = false;
  std::uint32_t mapped_file_ = 0;
  NextStream next_stream_;
  std::optional<RegistrationGate<Run>> registration_;
  std::uint64_t incarnations_ = 0;
  std::uint64_t starts_ = 0;
};

}  // namespace binlane::sim
