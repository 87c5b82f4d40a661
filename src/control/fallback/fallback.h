// Fallback: decides when the source's server waits for the quorum and when it no longer does.
//
//
//   STARTING → ASYNC ⇄ CATCHING_UP ⇄ SEMISYNC ⇄ FOREIGN_ACKER    (FENCED, STANDBY reserved)
//
// A state machine without I/O and clock. The control thread feeds it what it sees (tick), does the
// one action that it asks for, and then reports the result (complete). The order of actions is the
// rule: an interval of the ledger is durable before "enabled = OFF" is asked for [I4, S13], and it
// is closed only when a quorum covers everything that may have been released [S8]. If the ledger
// cannot be written, OFF is never asked for.
//
// Its state follows the server. A server that is ON when binlaned starts remains ON (its waiting
// commits are not given up [S3]). One that is OFF is recorded as such and switched on as soon as
// the quorum keeps up. In a new stream it is the other way round. OFF needs no entry, because
// nothing was promised yet. ON is recorded and switched OFF first, because the server may hold ACKs
// of other binlogs; if that cannot be recorded the source is REFUSED [S16]. If an operator switches
// semi-sync off at the server, Binlane leaves it off until it is switched on there again, the
// server restarts, or resume().
//
// Everything that releases commits without a quorum shows in the server's status or in a counter.
// This includes an OFF by somebody else that is taken back between two looks, which shows in
// no_times (MariaDB 10.11).
//
// Two things make a server that says ON release commits all the same, so neither is ever called
// SEMISYNC (fallback_guard.cpp). A semi-sync client that is not ours ends every wait: an interval
// is open as long as it is connected, or Binlane switches semi-sync OFF, by the operator's choice
// [S23]. And MariaDB compares the names of binlogs as text, so from number 1000000 on nothing
// waits: before that file begins Binlane switches semi-sync OFF for good [S17].
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
#include "control/config/fallback_mode.h"
#include "control/config/other_ackers_rule.h"
#include "control/exposure/ledger.h"
#include "control/fallback/fallback_reason.h"
#include "control/fallback/fallback_table.h"
#include "control/fallback/open_interval.h"
#include "control/fallback/other_ackers.h"
#include "control/fallback/recovery_pace.h"
#include "control/fallback/wait_deadline.h"
#include "control/stream/source_state.h"

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
  foreign_acker  // the server waits, and another client than Binlane acknowledges [S23]
};
// "SEMISYNC" and so on.
const char* to_string(FallbackState state) noexcept;

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
  bool fresh = false;             // the stream is new: no quorum was ever promised to any client
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

// Two looks at one run of the server: it has released commits by itself between them.
bool released_by_itself(const ServerCounters& before, const ServerCounters& now) noexcept;

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
  // When the lane read the marks, or earlier. Only marks that were read after an event tell what
  // was exposed until then. Marks that come with a poll were read after it.
  std::uint64_t sampled_ns = 0;
  // What the server had written by then is before `written`: a lane with a backlog lags.
  std::uint64_t all_read_ns = 0;
  // Changes when the linear coordinates of the marks begin anew (a new incarnation).
  std::uint32_t era = 0;
  FallbackMark dump;               // everything before it has come down the dump connection
  FallbackMark written;            // end of the binlog as the lane sees it
  FallbackMark quorum;             // a quorum has everything before it
  bool quorum_connected = false;   // the connected replicas could satisfy the rule
  bool acker_registered = false;   // the dump connection is registered, so ACKs reach the server
  bool server_reachable = false;   // the connection for commands works
  bool numbering_over = false;     // its binlogs' numbers are past what it can compare (S17)
  std::optional<ServerPoll> poll;  // if there is one since the last tick
};

struct FallbackAction {
  enum class Kind : std::uint8_t {
    make_read_only,  // stop new commits; done once they are stopped, while waiting ones still wait
                     // [S15]
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
  std::uint64_t blocked = 0;  // times the ledger prevented us from degrading
  std::uint64_t holds = 0;    // times a commit waited beyond the timeout in mode block
  std::uint64_t read_only_failures = 0;
  std::uint64_t off_failures = 0;
  std::uint64_t on_failures = 0;
  std::uint64_t other_ackers = 0;  // times another client began to acknowledge
  std::uint64_t log_lost = 0;      // transitions that nobody popped in time
};

// Members are ordered by topic, not by size.
class Fallback {  // NOLINT(clang-analyzer-optin.performance.Padding)
 public:
  Fallback(const FallbackOptions& options, const FallbackStart& start);

  // One turn; call it about every 10 ms, and again at once after complete(). Returns at most one
  // action; while that is in progress it returns no other.
  std::optional<FallbackAction> tick(const FallbackInputs& inputs);

  // The action last returned is done, or has failed. For an action on the server "failed" means
  // that its effect is unknown.
  void complete(bool success, std::uint64_t now_ns);

  // An operator asks to go on without semi-sync, ledger first; until resume(), or until somebody
  // switches it on at the server. It survives restarts of the server and of binlaned:
  // FallbackStart::degraded.
  void degrade() noexcept { held_ = asked_off_ = degraded_ = true; }
  // Ends an operator's OFF, whoever set it.
  void resume() noexcept { held_ = asked_off_ = degraded_ = false; }
  bool degraded_by_operator() const noexcept { return degraded_; }
  // The ledger takes entries again, and now gets what it could not take.
  void ledger_back() noexcept { ledger_back_ = interval_.ledger_failed(); }
  // Other options from now on.
  void set_options(const FallbackOptions& options);

  FallbackState state() const noexcept { return state_; }
  FallbackPhase phase() const noexcept { return phase_; }
  // The server does not wait, so replicas may be told to release what the quorum lacks (design §8).
  bool degraded() const noexcept;
  // A commit has waited too long, and is not released, because the ledger cannot be written or the
  // mode forbids it.
  bool blocked() const noexcept {
    return phase_ == FallbackPhase::blocked || phase_ == FallbackPhase::holding;
  }
  bool held_by_operator() const noexcept { return held_; }
  bool ledger_failed() const noexcept { return interval_.ledger_failed(); }
  const FallbackTransition& last_transition() const noexcept { return last_; }
  // The next transition that has not been logged yet.
  std::optional<FallbackTransition> pop_transition() noexcept;
  const FallbackCounters& counters() const noexcept { return counters_; }
  const WaitDeadline& deadline() const noexcept { return deadline_; }
  std::uint64_t state_since_ns() const noexcept { return state_since_ns_; }
  // How long the quorum must keep up before the next recovery.
  std::uint64_t recover_hold_ns() const noexcept { return pace_.hold_ns(); }
  // Commits of this stream wait.
  bool promises() const noexcept {
    return phase_ == FallbackPhase::confirming || phase_ == FallbackPhase::semisync ||
           phase_ == FallbackPhase::holding || phase_ == FallbackPhase::shared ||
           phase_ == FallbackPhase::forgetting;
  }
  // The server waits and a quorum keeps up, whoever else acknowledges. A server that was made
  // read-only until then may take writes.
  bool may_take_writes() const noexcept {
    return phase_ == FallbackPhase::semisync || phase_ == FallbackPhase::shared;
  }
  // As last looked at.
  OtherAckers other_ackers() const noexcept { return others_; }
  // What the server may have released by itself and nobody knows yet is beyond this. To be
  // persisted.
  const Position& exposed_from() const noexcept { return looked_at_[0]; }
  // How long it must have been connected before it counts as catching up; grows while it comes and
  // goes.
  std::uint64_t connect_hold_ns() const noexcept { return pace_.connect_hold_ns(); }
  // The ledger has everything that the server is known to have released by itself.
  bool accounts() const noexcept {
    return interval_.accounts(is_under_way(FallbackAction::Kind::open_interval));
  }
  // As last looked at; to be persisted together with the server's run.
  const std::optional<ServerCounters>& server_counters() const noexcept { return baseline_; }

 private:
  static constexpr std::size_t kLogged = 16;

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
  void take_ledger_back(const FallbackInputs& in);
  void want(ExposureKind kind, FallbackReason reason, const Position& from);
  void begin_era(const FallbackInputs& in);
  void watch_for_exposure(const FallbackInputs& in);
  std::optional<FallbackAction> next_action(const FallbackInputs& in);
  FallbackAction begin(const FallbackAction& action);
  void raise_back_off() noexcept;
  bool server_should_wait() const noexcept;
  bool is_under_way(FallbackAction::Kind kind) const noexcept {
    return in_flight_ && in_flight_->kind == kind;
  }

  // A poll at which yes_tx had grown although the quorum had not moved; true only if it still has
  // not.
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
  // The same at the last look at the server, and at the one before: what the server has released by
  // itself since the last look is after the latter.
  std::array<Position, 2> looked_at_{};

  // Ledger.
  OpenInterval interval_;
  bool ledger_back_ = false;                     // it can be written again, from the next turn on
  std::optional<std::uint64_t> close_after_ns_;  // a mark sampled after this bounds the exposure
  std::optional<FallbackMark> close_at_;

  // Server.
  std::optional<FallbackAction> in_flight_;
  std::optional<FallbackEvent> completed_;
  std::uint64_t command_done_ns_ = 0;  // looks that began earlier are not news
  std::uint64_t off_due_ns_ = 0;       // or of the read_only
  std::uint64_t off_retry_ns_ = 0;
  bool close_wanted_ = false;
  bool held_ = false;
  bool asked_off_ = false;
  bool degraded_ = false;  // held_ by our operator, and recorded as such
  std::optional<std::uint32_t> run_;
  std::optional<ServerCounters> baseline_;
  bool looked_since_off_ = true;  // the baseline is from after our last OFF
  std::uint64_t baseline_covered_ = 0;
  bool baseline_stalled_ = false;
  bool baseline_registered_ = false;
  OtherAckers others_ = OtherAckers::none;
  bool somebody_waits_ = false;  // at the same look
  std::optional<Suspicion> suspicion_;

  // Recovery.
  RecoveryPace pace_;
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
