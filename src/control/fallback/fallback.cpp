#include "control/fallback/fallback.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/counter_growth.h"
#include "base/mutant.h"

namespace binlane {
namespace {

// When the quorum has not moved for this long, the server has counted every session that was
// acknowledged; one that is counted later completed without an acknowledgement.
constexpr std::uint64_t kStallNs = 200 * kNanosPerMilli;

std::uint64_t hard_limit_ns(const FallbackOptions& options) {
  BL_ASSERT(options.server_timeout_ns >= options.timeout_ns + kNanosPerSecond);
  return options.server_timeout_ns - kNanosPerSecond;
}

bool is_server_command(FallbackAction::Kind kind) {
  return kind == FallbackAction::Kind::turn_on || kind == FallbackAction::Kind::turn_off;
}

bool is_deadline(FallbackReason reason) {
  return reason == FallbackReason::timeout || reason == FallbackReason::link_lost;
}

}  // namespace

bool released_by_itself(const ServerCounters& before, const ServerCounters& now) noexcept {
  return counter_growth(before.no_tx, now.no_tx) > 0 ||
         counter_growth(before.no_times, now.no_times) > 0;
}

Fallback::Fallback(const FallbackOptions& options, const FallbackStart& start)
    : options_(options),
      phase_(BL_MUTANT(stale_acks_kept, false, start.fresh) ? FallbackPhase::fresh
                                                            : FallbackPhase::starting),
      deadline_(options.timeout_ns, hard_limit_ns(options)),
      quorum_at_(start.exposed_from),
      interval_(start.interval_open, start.ledger_failed),
      held_(start.degraded),
      asked_off_(start.degraded),
      degraded_(start.degraded),
      baseline_(start.counters),
      pace_(options.recover_after_ns, options.recover_backoff_max_ns) {
  looked_at_.fill(start.exposed_from);
  if (start.server_restarted) {
    // Its recovery may have committed what was waiting, or its end released it.
    ++counters_.server_restarts;
    reason_ = FallbackReason::server_restarted;
    want(ExposureKind::server_side, reason_, start.exposed_from);
  } else if (start.unrecorded) {
    reason_ = FallbackReason::unrecorded;
    want(ExposureKind::server_side, reason_, start.exposed_from);
  }
}

void Fallback::set_options(const FallbackOptions& options) {
  deadline_.set_limits(options.timeout_ns, hard_limit_ns(options));
  pace_.set_limits(options.recover_after_ns, options.recover_backoff_max_ns);
  options_ = options;
}

std::optional<FallbackAction> Fallback::tick(const FallbackInputs& in) {
  BL_ASSERT(!ticked_ || in.now_ns >= last_in_.now_ns);
  if (!ticked_) state_since_ns_ = in.now_ns;
  if (ticked_ && in.now_ns - last_in_.now_ns > WaitDeadline::kPauseNs) pace_.forget();
  if (ticked_ && in.era != last_in_.era) begin_era(in);
  ticked_ = true;
  quorum_at_ = std::max(quorum_at_, in.quorum.position);
  if (in.acker_registered) covered_ = std::max(covered_, in.quorum.linear);
  // Without a dump connection it is unknown what the server waits for, so everything written
  // counts.
  deadline_.turn(in.now_ns, in.acker_registered ? in.dump.linear : in.written.linear, covered_);

  if (completed_) {
    const FallbackEvent event = *completed_;
    completed_.reset();
    raise(event, in);
  }
  if (std::exchange(ledger_back_, false)) take_ledger_back(in);
  if (in.poll) take_poll(*in.poll, in);
  check_silent_release(in);
  check_conditions(in);
  last_in_ = in;
  return next_action(in);
}

// Marks of the old coordinates mean nothing in the new ones.
void Fallback::begin_era(const FallbackInputs& in) {
  deadline_.reset();
  covered_ = 0;
  suspicion_.reset();
  pace_.falls_behind();
  close_wanted_ = false;
  if (close_at_ || phase_ == FallbackPhase::confirming) watch_for_exposure(in);
}

// --- events -----------------------------------------------------------------------------------

void Fallback::raise(FallbackEvent event, const FallbackInputs& in) {
  const FallbackRow& row = fallback_row(phase_, event);
  apply(row.effect, event, in);
  phase_ = row.next;
  show(event, in);
}

void Fallback::take_poll(const ServerPoll& poll, const FallbackInputs& in) {
  BL_ASSERT(poll.begun_ns <= in.now_ns);
  if (run_ && *run_ != poll.run) {
    // Another process: no client waits any more, and its counters begin anew.
    ++counters_.server_restarts;
    baseline_.reset();
    suspicion_.reset();
    deadline_.reset();
    interval_.drop(ExposureKind::own);
    raise(FallbackEvent::server_restarted, in);
  }
  run_ = poll.run;
  const bool stale =
      (in_flight_ && is_server_command(in_flight_->kind)) || poll.begun_ns < command_done_ns_;
  if (stale) return;
  if (poll.enabled && poll.status_on) {
    if (server_let_go(poll, in)) raise(FallbackEvent::server_released, in);
    raise(FallbackEvent::server_on, in);
  } else {
    const bool ours = phase_ == FallbackPhase::recording || phase_ == FallbackPhase::closing;
    if (!poll.enabled && server_should_wait() && !ours) held_ = true;
    suspicion_.reset();
    raise(FallbackEvent::server_off, in);
  }
  baseline_ = poll.counters;
  const OtherAckers before = std::exchange(others_, poll.others);
  // The interval, if there is one, includes what somebody else may have released until this look.
  const bool others = before != OtherAckers::none || others_ != OtherAckers::none;
  if (BL_MUTANT(closed_under_other_acker, false, others && (close_at_ || close_after_ns_)))
    watch_for_exposure(in);
  somebody_waits_ = poll.waiting > 0;
  // While another client may be releasing commits, the beginning of the exposure does not change.
  if (BL_MUTANT(other_acker_ignored, true, others_ == OtherAckers::none))
    looked_at_ = {looked_at_[1], quorum_at_};
  looked_since_off_ = true;
  baseline_covered_ = covered_;
  baseline_stalled_ = deadline_.stalled_ns() >= kStallNs;
  baseline_registered_ = in.acker_registered;
}

// The server says ON; have its counters moved in a way that only un-acknowledged commits explain?
bool Fallback::server_let_go(const ServerPoll& poll, const FallbackInputs& in) {
  if (!baseline_) return false;
  if (phase_ == FallbackPhase::starting) return released_by_itself(*baseline_, poll.counters);
  if (!server_should_wait()) return false;
  if (BL_MUTANT(server_release_unnoticed, false, released_by_itself(*baseline_, poll.counters)))
    return true;
  // A KILL releases a whole group and counts it as acknowledged, and so does another client's ACK.
  // It shows as commits that complete while the quorum does not move, or while we have no
  // connection for ACKs. It is believed once marks that were read after this look agree.
  if (baseline_stalled_ && in.acker_registered == baseline_registered_ &&
      baseline_covered_ == covered_ && counter_growth(baseline_->yes_tx, poll.counters.yes_tx) > 0)
    suspicion_ = Suspicion{covered_, in.now_ns};
  return false;
}

void Fallback::check_silent_release(const FallbackInputs& in) {
  if (!suspicion_ || in.sampled_ns < suspicion_->after_ns) return;
  const bool still = covered_ == suspicion_->covered && server_should_wait();
  suspicion_.reset();
  if (BL_MUTANT(killed_waiter_unnoticed, false, still)) raise(FallbackEvent::server_released, in);
}

void Fallback::check_conditions(const FallbackInputs& in) {
  const std::uint64_t read_ns = BL_MUTANT(backlog_not_exposed, in.sampled_ns, in.all_read_ns);
  if (close_after_ns_ && read_ns >= *close_after_ns_) {
    close_at_ = in.written;
    close_after_ns_.reset();
  }
  check_guards(in);
  check_waits(in);
  check_record(in);
  check_recovery(in);
  const bool ours_alone = BL_MUTANT(other_acker_ignored, true, others_ == OtherAckers::none);
  if (close_at_ && in.quorum.linear >= close_at_->linear && !interval_.wants_any() && ours_alone) {
    if (interval_.is_open() && !interval_.ledger_failed()) {
      raise(FallbackEvent::covered, in);
    } else {
      close_at_.reset();
      raise(interval_.is_open() ? FallbackEvent::close_failed : FallbackEvent::closed, in);
    }
  }
}

// Without a connection for commands no client can be released, and at a dead server no client
// waits.
void Fallback::check_waits(const FallbackInputs& in) {
  if (!in.server_reachable) return;
  if (asked_off_) raise(FallbackEvent::asked_off, in);
  if (!deadline_.expired())
    raise(phase_ == FallbackPhase::blocked && others_ == OtherAckers::present
              ? FallbackEvent::other_acker
              : FallbackEvent::wait_ended,
          in);
  else
    raise(options_.mode == FallbackMode::block ? FallbackEvent::hold : FallbackEvent::deadline, in);
}

void Fallback::check_record(const FallbackInputs& in) {
  if (phase_ != FallbackPhase::recording || in_flight_) return;
  const bool wanted = interval_.wants_any();
  if (interval_.ledger_failed()) {
    // The server says that it waits, and does not: OFF would show the truth, but needs a record.
    const bool never = BL_MUTANT(
        fresh_without_record, false,
        (reason_ == FallbackReason::stream_new || reason_ == FallbackReason::numbering_over));
    raise(never ? FallbackEvent::never_unrecorded : FallbackEvent::record_failed, in);
    // If the server does not wait anyway, there is nothing to block.
    if (state_ == FallbackState::async) raise(FallbackEvent::server_off, in);
  } else if (BL_MUTANT(ledger_after_release, true, !wanted)) {
    const bool fails = BL_MUTANT(released_before_read_only, false,
                                 options_.mode == FallbackMode::fail && is_deadline(reason_));
    const bool off = BL_MUTANT(operators_off_repeated, false,
                               reason_ == FallbackReason::operator_off && !asked_off_);
    raise(fails ? FallbackEvent::recorded_to_fail
          : off ? FallbackEvent::recorded_off
                : FallbackEvent::recorded,
          in);
  }
}

void Fallback::check_recovery(const FallbackInputs& in) {
  const bool ready = in.quorum_connected && in.acker_registered && in.server_reachable && !held_ &&
                     why_not_ready(in) == FallbackReason::quorum_lost;
  if (!ready) {
    pace_.not_ready(phase_ == FallbackPhase::catching_up);
    raise(FallbackEvent::not_ready, in);
  } else if (pace_.is_ready(in.now_ns)) {
    raise(FallbackEvent::ready, in);
  }
  const std::uint64_t behind =
      in.written.linear > in.quorum.linear ? in.written.linear - in.quorum.linear : 0;
  const bool near =
      BL_MUTANT(recovery_without_catching_up, true, behind <= options_.caught_up_bytes);
  if (phase_ == FallbackPhase::catching_up && near) {
    if (pace_.keeps_up(in.now_ns)) raise(FallbackEvent::caught_up, in);
  } else {
    pace_.falls_behind();
  }
}

void Fallback::want(ExposureKind kind, FallbackReason reason, const Position& from) {
  interval_.want(kind, reason, from, is_under_way(FallbackAction::Kind::close_intervals));
}

// What was released meanwhile is recorded first. An interval that could not be closed is closed
// when a quorum covers what may have been released until now.
void Fallback::take_ledger_back(const FallbackInputs& in) {
  if (interval_.take_back()) watch_for_exposure(in);
  if (const auto from = interval_.unrecorded())
    want(ExposureKind::server_side, FallbackReason::unrecorded, *from);
  raise(FallbackEvent::ledger_back, in);
}

// Whatever may have been released until now is before the end of the binlog as it is read from now
// on.
void Fallback::watch_for_exposure(const FallbackInputs& in) {
  close_at_.reset();
  close_after_ns_ = in.now_ns;
}

// Leaving a SEMISYNC that did not last doubles the time to the next attempt.
void Fallback::raise_back_off() noexcept {
  if (phase_ == FallbackPhase::starting) return;
  const bool lasted = state_ == FallbackState::semisync &&
                      last_in_.now_ns - state_since_ns_ >= options_.recover_backoff_max_ns;
  pace_.raise_back_off(lasted);
}

// --- actions ----------------------------------------------------------------------------------

std::optional<FallbackAction> Fallback::next_action(const FallbackInputs& in) {
  if (in_flight_) return std::nullopt;
  for (const ExposureKind kind : OpenInterval::kKinds) {
    if (const auto& wanted = interval_.wanted(kind))
      return begin({FallbackAction::Kind::open_interval, wanted->from, kind, wanted->reason});
  }
  if (phase_ == FallbackPhase::closing && in.now_ns >= off_due_ns_) {
    BL_ASSERT(interval_.is_open() && !interval_.ledger_failed());
    return begin({FallbackAction::Kind::make_read_only, quorum_at_, ExposureKind::own, reason_});
  }
  const bool switches_off =
      phase_ == FallbackPhase::turning_off || phase_ == FallbackPhase::forgetting;
  if (switches_off && in.now_ns >= off_due_ns_) {
    BL_ASSERT(interval_.is_open() && !interval_.ledger_failed());
    return begin({FallbackAction::Kind::turn_off, quorum_at_, ExposureKind::own, reason_});
  }
  if (phase_ == FallbackPhase::turning_on)
    return begin({FallbackAction::Kind::turn_on, in.quorum.position, ExposureKind::own,
                  FallbackReason::caught_up});
  if (close_wanted_) {
    BL_ASSERT(close_at_ && interval_.is_open());
    const Position to = close_at_->position;
    close_wanted_ = false;
    close_at_.reset();
    return begin(
        {FallbackAction::Kind::close_intervals, to, ExposureKind::own, FallbackReason::caught_up});
  }
  return std::nullopt;
}

FallbackAction Fallback::begin(const FallbackAction& action) {
  BL_ASSERT(!in_flight_);
  in_flight_ = action;
  return action;
}

void Fallback::complete(bool success, std::uint64_t now_ns) {
  BL_ASSERT(in_flight_ && !completed_ && now_ns >= last_in_.now_ns);
  const FallbackAction action = *in_flight_;
  in_flight_.reset();
  switch (action.kind) {
    case FallbackAction::Kind::open_interval:
      if (success)
        interval_.opened(action.exposure, action.position);
      else
        interval_.not_opened(action.exposure, action.reason, action.position);
      // The table receives `recorded` or `record_failed` when all of it is done.
      return;
    case FallbackAction::Kind::close_intervals:
      if (success)
        interval_.closed();
      else
        interval_.not_closed();
      completed_ = success ? FallbackEvent::closed : FallbackEvent::close_failed;
      return;
    case FallbackAction::Kind::make_read_only:
      completed_ = success ? FallbackEvent::read_only_pending : FallbackEvent::read_only_failed;
      return;
    case FallbackAction::Kind::turn_off:
      BL_ASSERT(interval_.is_open());  // on record before anybody is let go [I4]
      command_done_ns_ = now_ns;
      looked_since_off_ = false;
      completed_ = success ? FallbackEvent::turned_off : FallbackEvent::turn_off_failed;
      return;
    case FallbackAction::Kind::turn_on:
      command_done_ns_ = now_ns;
      completed_ = success ? FallbackEvent::turned_on : FallbackEvent::turn_on_failed;
      return;
  }
}

}  // namespace binlane
