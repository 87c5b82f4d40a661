// Fallback: decides when the source's server waits for the quorum and when it no longer does.
//
//   STARTING → ASYNC ⇄ CATCHING_UP ⇄ SEMISYNC ⇄ FOREIGN_ACKER    (FENCED, STANDBY reserved)
//
// A state machine without I/O and clock: the control thread feeds it what it sees (tick) and does
// the one action that it asks for, then reports how that went (complete). The order of actions is
// the rule: an interval of the ledger is durable before "enabled = OFF" is asked for (I4, S13), and
// it is closed only when a quorum covers everything that may have been released (S8). If the ledger
// cannot be written, OFF is never asked for.
//
// Its state follows the server: a server that is ON when binlaned starts stays ON (its waiting
// commits are not given up, safety rule S3); one that is OFF is recorded as such and switched on as
// soon as the quorum keeps up. A new stream is the other way round: OFF is no entry, because
// nothing was promised yet, and ON is recorded and switched OFF first, because the server may hold
// ACKs of other binlogs (S16); if that cannot be recorded the source is REFUSED. An operator who
// switches semi-sync off at the server is left alone until it is switched on there again, the
// server restarts, or resume().
//
// Everything that lets commits go without a quorum shows in the server's status or in a counter: an
// OFF of somebody else that is taken back between two looks as well, in no_times (MariaDB 10.11).
//
// Two things make a server that says ON release commits all the same, so neither is ever called
// SEMISYNC (fallback_guard.cpp). A semi-sync client that is not ours ends every wait: an interval
// is open as long as it is there, or Binlane switches semi-sync OFF, by the operator's choice
// (S23). And MariaDB compares the names of binlogs as text, so from number 1000000 on nothing
// waits: before that file begins Binlane switches semi-sync OFF for good (S17).
//
// Marks are linear offsets; the positions beside them are for the ledger and for people. The
// source's control thread owns it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/position.h"
#include "control/fallback_mode.h"
#include "control/fallback_table.h"
#include "control/ledger.h"
#include "control/other_ackers.h"
#include "control/other_ackers_rule.h"
#include "control/source_state.h"
#include "control/wait_deadline.h"

namespace binlane {

// What people see.
enum class FallbackState : std::uint8_t {
  starting,
  async,
  catching_up,
  semisync,
  fenced,
  standby,
  refused,
  foreign_acker  // the server waits, and somebody besides Binlane acknowledges (S23)
};
// "SEMISYNC" and so on.
const char* to_string(FallbackState state) noexcept;

enum class FallbackReason : std::uint8_t {
  started,
  off_at_start,
  timeout,
  link_lost,       // the dump connection was away for as long as the timeout
  server_stopped,  // the server's own timeout, or a rule of its own
  operator_off,    // enabled = OFF that was not ours
  asked_off,       // binlane degrade
  server_restarted,
  server_released,  // commits went without us while its status stayed ON
  quorum_ready,
  quorum_lost,
  caught_up,
  server_on,  // it was ON already, or somebody switched it on
  turn_on_failed,
  unrecorded,      // what it released could not be recorded then
  stream_new,      // the stream is new, and the server waits already
  other_acker,     // somebody besides Binlane acknowledges commits
  other_gone,      // nobody besides Binlane does any more
  numbering_over,  // the server compares the names of its next binlogs wrongly
};
// A sentence for logs, ledger and status.
const char* to_string(FallbackReason reason) noexcept;

struct FallbackOptions {
  FallbackMode mode = FallbackMode::degrade;
  OtherAckersRule other_ackers = OtherAckersRule::report;
  std::uint64_t timeout_ns = 10 * kNanosPerSecond;
  std::uint64_t server_timeout_ns = 15 * kNanosPerSecond;  // at least a second above (S13)
  std::uint64_t recover_after_ns = 200 * kNanosPerMilli;
  std::uint64_t recover_backoff_max_ns = 60 * kNanosPerSecond;
  std::uint64_t caught_up_bytes = std::uint64_t{1024} * 1024;
};

// What is known before the server has been looked at.
struct FallbackStart {
  bool fresh = false;             // the stream is new: no quorum was ever promised to anybody
  Position exposed_from{};        // exposed_from() as persisted; in a new stream its beginning
  bool interval_open = false;     // the ledger has an open interval
  bool ledger_failed = false;     // and takes no entry any more
  bool server_restarted = false;  // since the state was persisted
  bool unrecorded = false;        // what it released before may be missing in the ledger
  bool degraded = false;          // an operator's degrade, not resumed since
  // The persisted counters, if the server is still the same run.
  std::optional<ServerCounters> counters{};
};

// A mark in both coordinates.
struct FallbackMark {
  std::uint64_t linear = 0;
  Position position;
};

// One look at the server (no statement of it takes LOCK_log).
struct ServerPoll {
  std::uint64_t begun_ns = 0;  // before the query was sent
  std::uint32_t run = 0;       // grows when another server process answers
  bool enabled = false;
  bool status_on = false;
  ServerCounters counters;
  OtherAckers others = OtherAckers::none;  // its semi-sync clients that are not ours
  std::uint64_t waiting = 0;               // sessions that wait for an acknowledgement
};

struct FallbackInputs {
  std::uint64_t now_ns = 0;
  // When the lane read the marks, or earlier. Only marks that were read after something happened
  // tell what was exposed until then. Marks handed in with a poll were read after it.
  std::uint64_t sampled_ns = 0;
  // What the server had written by then lies before `written`: a lane with a backlog is behind.
  std::uint64_t all_read_ns = 0;
  // Changes when the linear coordinates of the marks begin anew (a new incarnation).
  std::uint32_t era = 0;
  FallbackMark dump;               // everything before it has come down the dump connection
  FallbackMark written;            // end of the binlog as the lane sees it
  FallbackMark quorum;             // a quorum has everything before it
  bool quorum_connected = false;   // the connected replicas could satisfy the rule
  bool acker_registered = false;   // the dump connection stands, ACKs reach the server
  bool server_reachable = false;   // the connection for commands stands
  bool numbering_over = false;     // its binlogs' numbers are past what it can compare (S17)
  std::optional<ServerPoll> poll;  // when there is one since the last tick
};

struct FallbackAction {
  enum class Kind : std::uint8_t {
    make_read_only,  // stop new commits; done once they are stopped, waiting ones still wait (S15)
    open_interval,   // Ledger::expose(position, epoch, exposure, reason)
    turn_off,        // SET GLOBAL …enabled = OFF
    turn_on,         // SET GLOBAL …enabled = ON
    close_intervals  // every open interval, at `position`
  };
  Kind kind = Kind::open_interval;
  Position position;
  ExposureKind exposure = ExposureKind::own;
  FallbackReason reason = FallbackReason::started;
};

struct FallbackTransition {
  FallbackState from = FallbackState::starting;
  FallbackState to = FallbackState::starting;
  FallbackReason reason = FallbackReason::started;
  Position quorum;   // at that moment
  Position waiting;  // end of what the server may have waited for
  std::uint64_t at_ns = 0;
  std::uint64_t lasted_ns = 0;  // how long `from` had lasted
};

struct FallbackCounters {
  std::uint64_t transitions = 0;
  std::uint64_t degrades = 0;         // by our own deadline
  std::uint64_t recoveries = 0;       // arrivals at SEMISYNC after an ASYNC
  std::uint64_t server_releases = 0;  // releases by the server itself, noticed
  std::uint64_t server_restarts = 0;
  std::uint64_t blocked = 0;  // times the ledger kept us from degrading
  std::uint64_t holds = 0;    // times somebody waited beyond the timeout in mode block
  std::uint64_t read_only_failures = 0;
  std::uint64_t off_failures = 0;
  std::uint64_t on_failures = 0;
  std::uint64_t other_ackers = 0;  // times somebody else began to acknowledge
  std::uint64_t log_lost = 0;      // transitions that nobody popped in time
};

// Members stand by topic, not by size.
class Fallback {  // NOLINT(clang-analyzer-optin.performance.Padding)
 public:
  Fallback(const FallbackOptions& options, const FallbackStart& start);

  // One turn; to be called about every 10 ms, and again at once after complete(). Gives at most one
  // action; while it is under way no other is given.
  std::optional<FallbackAction> tick(const FallbackInputs& inputs);

  // The action last given is done, or has failed. For an action on the server "failed" means that
  // its effect is unknown.
  void complete(bool success, std::uint64_t now_ns);

  // An operator's wish to go on without semi-sync, ledger first; until resume(), or until somebody
  // switches it on at the server. It outlives the server's run and ours: FallbackStart::degraded.
  void degrade() noexcept { held_ = asked_off_ = degraded_ = true; }
  // And to leave an operator's OFF behind, whoever it came from.
  void resume() noexcept { held_ = asked_off_ = degraded_ = false; }
  bool degraded_by_operator() const noexcept { return degraded_; }
  // The ledger takes entries again: what it could not take is told it now.
  void ledger_back() noexcept { ledger_back_ = ledger_failed_; }
  // Other options from now on.
  void set_options(const FallbackOptions& options);

  FallbackState state() const noexcept { return state_; }
  FallbackPhase phase() const noexcept { return phase_; }
  // The server does not wait: replicas may be told to release what the quorum lacks (design §8).
  bool degraded() const noexcept;
  // Somebody has waited too long, and is not released: the ledger cannot be written, or the mode
  // says so.
  bool blocked() const noexcept {
    return phase_ == FallbackPhase::blocked || phase_ == FallbackPhase::holding;
  }
  bool held_by_operator() const noexcept { return held_; }
  bool ledger_failed() const noexcept { return ledger_failed_; }
  const FallbackTransition& last_transition() const noexcept { return last_; }
  // The next transition that has not been logged yet.
  std::optional<FallbackTransition> pop_transition() noexcept;
  const FallbackCounters& counters() const noexcept { return counters_; }
  const WaitDeadline& deadline() const noexcept { return deadline_; }
  std::uint64_t state_since_ns() const noexcept { return state_since_ns_; }
  // How long the quorum must keep up before the next recovery.
  std::uint64_t recover_hold_ns() const noexcept;
  // Commits of this stream wait.
  bool promises() const noexcept {
    return phase_ == FallbackPhase::confirming || phase_ == FallbackPhase::semisync ||
           phase_ == FallbackPhase::holding || phase_ == FallbackPhase::shared ||
           phase_ == FallbackPhase::forgetting;
  }
  // The server waits and a quorum keeps up, whoever else acknowledges: what was made read-only
  // until then may take writes.
  bool may_take_writes() const noexcept {
    return phase_ == FallbackPhase::semisync || phase_ == FallbackPhase::shared;
  }
  // As last looked at.
  OtherAckers other_ackers() const noexcept { return others_; }
  // What the server may have released by itself without anybody knowing yet lies beyond. To be
  // persisted.
  const Position& exposed_from() const noexcept { return looked_at_[0]; }
  // How long it must have been connected before it is said to catch up; grows while it comes and
  // goes.
  std::uint64_t connect_hold_ns() const noexcept;
  // Everything that the server has released by itself as far as is known is in the ledger.
  bool accounts() const noexcept;
  // As last looked at; to be persisted beside the server's run.
  const std::optional<ServerCounters>& server_counters() const noexcept { return baseline_; }

 private:
  static constexpr std::size_t kLogged = 16;
  static constexpr std::size_t kKinds = 2;  // of ExposureKind

  void raise(FallbackEvent event, const FallbackInputs& in);
  void apply(FallbackEffect effect, FallbackEvent event, const FallbackInputs& in);
  void show(FallbackEvent event, const FallbackInputs& in);
  void take_poll(const ServerPoll& poll, const FallbackInputs& in);
  bool server_let_go(const ServerPoll& poll, const FallbackInputs& in);
  void check_silent_release(const FallbackInputs& in);
  void check_conditions(const FallbackInputs& in);
  void check_guards(const FallbackInputs& in);
  void check_other_gone(const FallbackInputs& in);
  FallbackReason why_not_ready(const FallbackInputs& in) const noexcept;
  void check_waits(const FallbackInputs& in);
  void check_record(const FallbackInputs& in);
  void check_recovery(const FallbackInputs& in);
  void fail_ledger() noexcept;
  void miss(ExposureKind kind, FallbackReason reason, const Position& from) noexcept;
  void take_ledger_back(const FallbackInputs& in);
  void want(ExposureKind kind, FallbackReason reason, const Position& from);
  void begin_era(const FallbackInputs& in);
  void watch_for_exposure(const FallbackInputs& in);
  std::optional<FallbackAction> next_action(const FallbackInputs& in);
  FallbackAction begin(const FallbackAction& action);
  void raise_back_off() noexcept;
  bool server_should_wait() const noexcept;

  struct Wanted {
    FallbackReason reason = FallbackReason::started;
    Position from;
  };
  // A poll at which yes_tx had grown although the quorum stood still; true only if it still does.
  struct Suspicion {
    std::uint64_t covered = 0;
    std::uint64_t after_ns = 0;
  };

  FallbackOptions options_;
  FallbackPhase phase_ = FallbackPhase::starting;
  FallbackState state_ = FallbackState::starting;
  WaitDeadline deadline_;
  FallbackInputs last_in_;
  std::uint64_t covered_ = 0;  // what the server could have been told
  FallbackReason reason_ = FallbackReason::started;
  Position quorum_at_;  // the highest quorum position known
  // The same when the last look at the server was taken in, and the one before it: what the server
  // has released by itself since the last look lies beyond the latter.
  std::array<Position, 2> looked_at_{};

  // Ledger.
  bool interval_open_ = false;
  bool ledger_failed_ = false;
  bool ledger_back_ = false;          // and can be written again, as of the next turn
  bool unrecorded_ = false;           // a release that no interval has, for that reason
  Position unrecorded_from_;          // where the first of them began
  std::array<bool, kKinds> noted_{};  // causes that the open interval has
  std::array<std::optional<Wanted>, kKinds> wanted_{};
  std::optional<std::uint64_t> close_after_ns_;  // a mark sampled after this bounds the exposure
  std::optional<FallbackMark> close_at_;

  // Server.
  std::optional<FallbackAction> in_flight_;
  std::optional<FallbackEvent> completed_;
  std::uint64_t command_done_ns_ = 0;  // looks begun earlier tell nothing new
  std::uint64_t off_due_ns_ = 0;       // or of the read_only
  std::uint64_t off_retry_ns_ = 0;
  bool close_wanted_ = false;
  bool held_ = false;
  bool asked_off_ = false;
  bool degraded_ = false;  // held_ by our operator, and on record as such
  std::optional<std::uint32_t> run_;
  std::optional<ServerCounters> baseline_;
  bool looked_since_off_ = true;  // the baseline is of after our last OFF
  std::uint64_t baseline_covered_ = 0;
  bool baseline_stalled_ = false;
  bool baseline_registered_ = false;
  OtherAckers others_ = OtherAckers::none;
  bool somebody_waits_ = false;  // in the same look
  std::optional<Suspicion> suspicion_;

  // Recovery.
  std::optional<std::uint64_t> keeping_up_since_ns_;
  std::uint32_t flaps_ = 0;
  std::optional<std::uint64_t> ready_since_ns_;
  std::uint32_t connect_flaps_ = 0;  // times a quorum was lost again while it caught up
  bool was_async_ = false;

  // Report.
  std::uint64_t state_since_ns_ = 0;
  bool ticked_ = false;
  FallbackTransition last_;
  std::array<FallbackTransition, kLogged> log_{};
  std::size_t log_first_ = 0;
  std::size_t log_count_ = 0;
  FallbackCounters counters_;
};

}  // namespace binlane
