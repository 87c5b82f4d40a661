#include "control/fallback.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/canary.h"

namespace binlane {
namespace {

constexpr std::uint64_t kOffRetryFirstNs = 100 * kNanosPerMilli;
constexpr std::uint64_t kOffRetryMostNs = 5 * kNanosPerSecond;
// Doubling a millisecond this often passes every bound that recover_backoff_max_ns may have.
constexpr std::uint32_t kMaxFlaps = 24;
// A session that was acknowledged has long been counted by the server when the quorum has stood
// still for this long; one that is counted later went without an acknowledgement.
constexpr std::uint64_t kStallNs = 200 * kNanosPerMilli;

constexpr std::size_t index_of(ExposureKind kind) {
  return static_cast<std::size_t>(kind);
}

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

// Whether Binlane was the one to let the server go on.
bool is_own(FallbackReason reason) {
  return is_deadline(reason) || reason == FallbackReason::asked_off ||
         reason == FallbackReason::numbering_over;
}

// Doubled `times` times, up to `most`.
std::uint64_t doubled(std::uint64_t value, std::uint32_t times, std::uint64_t most) {
  for (std::uint32_t i = 0; i < times && value < most; ++i) value *= 2;
  return std::min(value, most);
}

// A counter that went back was reset (FLUSH STATUS), and has grown to what it shows since.
bool grew(std::uint64_t before, std::uint64_t now) {
  return now > before || (now < before && now > 0);
}

bool grew(const ServerCounters& before, const ServerCounters& now) {
  return grew(before.no_tx, now.no_tx) || grew(before.no_times, now.no_times);
}

}  // namespace

Fallback::Fallback(const FallbackOptions& options, const FallbackStart& start)
    : options_(options),
      phase_(start.fresh && !canary(Canary::stale_acks_kept) ? FallbackPhase::fresh
                                                             : FallbackPhase::starting),
      deadline_(options.timeout_ns, hard_limit_ns(options)),
      quorum_at_(start.exposed_from),
      interval_open_(start.interval_open),
      ledger_failed_(start.ledger_failed),
      held_(start.degraded),
      asked_off_(start.degraded),
      degraded_(start.degraded),
      baseline_(start.counters) {
  // What an earlier binlaned recorded covers whatever has happened since.
  noted_.fill(start.interval_open);
  looked_at_.fill(start.exposed_from);
  if (start.server_restarted) {
    // Its recovery may have committed what was waiting, or its end let it go.
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
  options_ = options;
}

std::optional<FallbackAction> Fallback::tick(const FallbackInputs& in) {
  BL_ASSERT(!ticked_ || in.now_ns >= last_in_.now_ns);
  if (!ticked_) state_since_ns_ = in.now_ns;
  if (ticked_ && in.now_ns - last_in_.now_ns > WaitDeadline::kPauseNs) {
    keeping_up_since_ns_.reset();
    ready_since_ns_.reset();
  }
  if (ticked_ && in.era != last_in_.era) begin_era(in);
  ticked_ = true;
  quorum_at_ = std::max(quorum_at_, in.quorum.position);
  if (in.acker_registered) covered_ = std::max(covered_, in.quorum.linear);
  // Without a dump connection nothing tells what the server waits for: everything written, then.
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

// Marks of the old coordinates say nothing in the new ones.
void Fallback::begin_era(const FallbackInputs& in) {
  deadline_.reset();
  covered_ = 0;
  suspicion_.reset();
  keeping_up_since_ns_.reset();
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
  if (run_ && *run_ != poll.run) {
    // Another process: nobody waits any more, and its counters begin anew.
    ++counters_.server_restarts;
    baseline_.reset();
    suspicion_.reset();
    deadline_.reset();
    wanted_[index_of(ExposureKind::own)].reset();
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
  // What somebody else may have released until this look is in the interval, if there is one.
  const bool others = before != OtherAckers::none || others_ != OtherAckers::none;
  if (others && (close_at_ || close_after_ns_) && !canary(Canary::closed_under_other_acker))
    watch_for_exposure(in);
  somebody_waits_ = poll.waiting > 0;
  // While somebody else may be releasing commits, how far the exposure reaches back stays as it is.
  if (others_ == OtherAckers::none || canary(Canary::other_acker_ignored))
    looked_at_ = {looked_at_[1], quorum_at_};
  looked_since_off_ = true;
  baseline_covered_ = covered_;
  baseline_stalled_ = deadline_.stalled_ns() >= kStallNs;
  baseline_registered_ = in.acker_registered;
}

// The server says ON; have its counters moved in a way that only un-acknowledged commits explain?
bool Fallback::server_let_go(const ServerPoll& poll, const FallbackInputs& in) {
  if (!baseline_) return false;
  if (phase_ == FallbackPhase::starting) return grew(*baseline_, poll.counters);
  if (!server_should_wait()) return false;
  if (grew(*baseline_, poll.counters) && !canary(Canary::server_release_unnoticed)) return true;
  // A KILL lets a whole group go and counts it as acknowledged, and so does the ACK of somebody
  // else. It shows as commits that complete while the quorum stands still, or while we have no
  // connection for ACKs; believed once marks read after this look agree.
  if (baseline_stalled_ && in.acker_registered == baseline_registered_ &&
      baseline_covered_ == covered_ && grew(baseline_->yes_tx, poll.counters.yes_tx))
    suspicion_ = Suspicion{covered_, in.now_ns};
  return false;
}

void Fallback::check_silent_release(const FallbackInputs& in) {
  if (!suspicion_ || in.sampled_ns < suspicion_->after_ns) return;
  const bool still = covered_ == suspicion_->covered && server_should_wait();
  suspicion_.reset();
  if (still && !canary(Canary::killed_waiter_unnoticed)) raise(FallbackEvent::server_released, in);
}

void Fallback::check_conditions(const FallbackInputs& in) {
  const std::uint64_t read_ns =
      canary(Canary::backlog_not_exposed) ? in.sampled_ns : in.all_read_ns;
  if (close_after_ns_ && read_ns >= *close_after_ns_) {
    close_at_ = in.written;
    close_after_ns_.reset();
  }
  check_guards(in);
  check_waits(in);
  check_record(in);
  check_recovery(in);
  const bool ours_alone = others_ == OtherAckers::none || canary(Canary::other_acker_ignored);
  if (close_at_ && in.quorum.linear >= close_at_->linear && !wanted_[0] && !wanted_[1] &&
      ours_alone) {
    if (interval_open_ && !ledger_failed_) {
      raise(FallbackEvent::covered, in);
    } else {
      close_at_.reset();
      raise(interval_open_ ? FallbackEvent::close_failed : FallbackEvent::closed, in);
    }
  }
}

// Without a connection for commands nobody can be released; a dead server has nobody waiting.
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
  const bool wanted = wanted_[0] || wanted_[1];
  if (ledger_failed_) {
    // The server says that it waits, and does not: OFF would tell the truth, but needs a record.
    const bool never =
        (reason_ == FallbackReason::stream_new || reason_ == FallbackReason::numbering_over) &&
        !canary(Canary::fresh_without_record);
    raise(never ? FallbackEvent::never_unrecorded : FallbackEvent::record_failed, in);
    // Where the server does not wait anyway, there is nothing to block.
    if (state_ == FallbackState::async) raise(FallbackEvent::server_off, in);
  } else if (!wanted || canary(Canary::ledger_after_release)) {
    const bool fails = options_.mode == FallbackMode::fail && is_deadline(reason_) &&
                       !canary(Canary::released_before_read_only);
    const bool off = reason_ == FallbackReason::operator_off && !asked_off_ &&
                     !canary(Canary::operators_off_repeated);
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
    if (phase_ == FallbackPhase::catching_up)
      connect_flaps_ = std::min(connect_flaps_ + 1, kMaxFlaps);
    ready_since_ns_.reset();
    raise(FallbackEvent::not_ready, in);
  } else {
    if (!ready_since_ns_) ready_since_ns_ = in.now_ns;
    if (in.now_ns - *ready_since_ns_ >= connect_hold_ns()) raise(FallbackEvent::ready, in);
  }
  const std::uint64_t behind =
      in.written.linear > in.quorum.linear ? in.written.linear - in.quorum.linear : 0;
  const bool near =
      behind <= options_.caught_up_bytes || canary(Canary::recovery_without_catching_up);
  if (phase_ == FallbackPhase::catching_up && near) {
    if (!keeping_up_since_ns_) keeping_up_since_ns_ = in.now_ns;
    if (in.now_ns - *keeping_up_since_ns_ >= recover_hold_ns()) raise(FallbackEvent::caught_up, in);
  } else {
    keeping_up_since_ns_.reset();
  }
}

// --- effects ----------------------------------------------------------------------------------

void Fallback::apply(FallbackEffect effect, FallbackEvent event, const FallbackInputs& in) {
  switch (effect) {
    case FallbackEffect::none:
      break;
    case FallbackEffect::adopt:
      // At the first look it is not known who switched it on, or the server's own settings did.
      if (event == FallbackEvent::server_on && phase_ != FallbackPhase::starting) resume();
      // Commits that our OFF has woken may have been counted after the last look.
      if (event == FallbackEvent::turned_on && !looked_since_off_) baseline_.reset();
      watch_for_exposure(in);
      keeping_up_since_ns_.reset();
      deadline_.reset();
      deadline_.turn(in.now_ns, in.acker_registered ? in.dump.linear : in.written.linear, covered_);
      break;
    case FallbackEffect::expose_own:
      raise_back_off();
      close_wanted_ = false;
      reason_ = in.acker_registered ? FallbackReason::timeout : FallbackReason::link_lost;
      // Not from the quorum itself: the server may have let commits go since it was last looked at.
      // In a wait that has timed out the quorum has not moved since, so this is the same position.
      want(ExposureKind::own, reason_, looked_at_[0]);
      break;
    case FallbackEffect::expose_asked:
      close_wanted_ = false;
      asked_off_ = false;  // carried out from here on; held_ keeps it so
      reason_ = FallbackReason::asked_off;
      want(ExposureKind::own, reason_, looked_at_[0]);
      break;
    case FallbackEffect::expose_server:
      raise_back_off();
      close_wanted_ = false;
      if (phase_ != FallbackPhase::starting) {
        reason_ = held_ ? FallbackReason::operator_off : FallbackReason::server_stopped;
        ++counters_.server_releases;
      } else if (reason_ == FallbackReason::started) {
        reason_ = FallbackReason::off_at_start;
      }
      want(ExposureKind::server_side, reason_, looked_at_[0]);
      break;
    case FallbackEffect::expose_fresh:
      // The same of a numbering that is over, when the ledger is back.
      if (reason_ != FallbackReason::numbering_over) reason_ = FallbackReason::stream_new;
      want(ExposureKind::own, reason_, looked_at_[0]);
      break;
    case FallbackEffect::expose_aside:
      reason_ = event == FallbackEvent::server_restarted ? FallbackReason::server_restarted
                                                         : FallbackReason::server_released;
      ++counters_.server_releases;
      close_wanted_ = false;
      watch_for_exposure(in);
      want(ExposureKind::server_side, reason_, looked_at_[0]);
      break;
    case FallbackEffect::expose_other:
      reason_ = FallbackReason::other_acker;
      ++counters_.other_ackers;
      close_wanted_ = false;
      watch_for_exposure(in);
      want(ExposureKind::server_side, reason_, looked_at_[0]);
      break;
    case FallbackEffect::expose_number:
      close_wanted_ = false;
      reason_ = FallbackReason::numbering_over;
      want(ExposureKind::own, reason_, looked_at_[0]);
      break;
    case FallbackEffect::retry_read_only:
      ++counters_.read_only_failures;
      off_due_ns_ = in.now_ns + off_retry_ns_;
      off_retry_ns_ = std::min(2 * off_retry_ns_, kOffRetryMostNs);
      break;
    case FallbackEffect::count_hold:
      ++counters_.holds;
      break;
    case FallbackEffect::read_only:
    case FallbackEffect::turn_off:
      BL_ASSERT(interval_open_ && !ledger_failed_);
      asked_off_ = false;
      off_due_ns_ = in.now_ns;
      off_retry_ns_ = kOffRetryFirstNs;
      break;
    case FallbackEffect::retry_off:
      ++counters_.off_failures;
      off_due_ns_ = in.now_ns + off_retry_ns_;
      off_retry_ns_ = std::min(2 * off_retry_ns_, kOffRetryMostNs);
      break;
    case FallbackEffect::turn_on:
      break;
    case FallbackEffect::close:
      close_wanted_ = true;
      break;
    case FallbackEffect::count_off:
      if (phase_ == FallbackPhase::blocked && is_own(reason_))
        reason_ = FallbackReason::server_stopped;
      if (is_own(reason_)) ++counters_.degrades;
      asked_off_ = false;
      if (reason_ != FallbackReason::off_at_start) was_async_ = true;
      break;
    case FallbackEffect::count_on:
      if (was_async_) ++counters_.recoveries;
      was_async_ = false;
      break;
    case FallbackEffect::back_off:
      ++counters_.on_failures;
      flaps_ = std::min(flaps_ + 1, kMaxFlaps);
      break;
    case FallbackEffect::clear_hold:
      held_ = degraded_;
      break;
  }
  if (event == FallbackEvent::record_failed && state_ != FallbackState::async &&
      phase_ == FallbackPhase::recording)
    ++counters_.blocked;
}

void Fallback::want(ExposureKind kind, FallbackReason reason, const Position& from) {
  if (ledger_failed_) return miss(kind, reason, from);
  const bool closing = in_flight_ && in_flight_->kind == FallbackAction::Kind::close_intervals;
  if (interval_open_ && noted_[index_of(kind)] && !closing) return;
  auto& wanted = wanted_[index_of(kind)];
  if (!wanted) wanted = Wanted{reason, from};
}

// Nothing is recorded any more, what was wanted neither.
void Fallback::fail_ledger() noexcept {
  ledger_failed_ = true;
  for (const ExposureKind kind : {ExposureKind::server_side, ExposureKind::own}) {
    auto& wanted = wanted_[index_of(kind)];
    if (wanted) miss(kind, wanted->reason, wanted->from);
    wanted.reset();
  }
}

// An open interval covers what comes behind it, and is not closed any more. What Binlane would have
// released it does not release without a record, except a new stream's, where clients have an OK.
void Fallback::miss(ExposureKind kind, FallbackReason reason, const Position& from) noexcept {
  BL_ASSERT(ledger_failed_);
  const bool released = kind == ExposureKind::server_side || reason == FallbackReason::stream_new ||
                        reason == FallbackReason::numbering_over;
  if (!released || interval_open_) return;
  if (!unrecorded_ || from < unrecorded_from_) unrecorded_from_ = from;
  unrecorded_ = true;
}

// What was released meanwhile goes in first; an interval that could not be closed is closed when a
// quorum covers what may have been released until now.
void Fallback::take_ledger_back(const FallbackInputs& in) {
  ledger_failed_ = false;
  if (interval_open_ || unrecorded_) watch_for_exposure(in);
  if (unrecorded_ && !interval_open_)
    want(ExposureKind::server_side, FallbackReason::unrecorded, unrecorded_from_);
  raise(FallbackEvent::ledger_back, in);
}

bool Fallback::accounts() const noexcept {
  const auto server_side = index_of(ExposureKind::server_side);
  const bool under_way = in_flight_ && in_flight_->kind == FallbackAction::Kind::open_interval;
  return !unrecorded_ && !wanted_[server_side] && !under_way;
}

// Whatever may have been released until now lies before the end of the binlog as it is read from
// now on.
void Fallback::watch_for_exposure(const FallbackInputs& in) {
  close_at_.reset();
  close_after_ns_ = in.now_ns;
}

// Leaving a SEMISYNC that did not last doubles the time to the next attempt.
void Fallback::raise_back_off() noexcept {
  if (phase_ == FallbackPhase::starting) return;
  const bool lasted = state_ == FallbackState::semisync &&
                      last_in_.now_ns - state_since_ns_ >= options_.recover_backoff_max_ns;
  flaps_ = lasted ? 0 : std::min(flaps_ + 1, kMaxFlaps);
  if (lasted) connect_flaps_ = 0;
}

std::uint64_t Fallback::recover_hold_ns() const noexcept {
  return doubled(options_.recover_after_ns, flaps_, options_.recover_backoff_max_ns);
}

std::uint64_t Fallback::connect_hold_ns() const noexcept {
  if (connect_flaps_ == 0) return 0;
  return doubled(options_.recover_after_ns, connect_flaps_, options_.recover_backoff_max_ns);
}

// --- actions ----------------------------------------------------------------------------------

std::optional<FallbackAction> Fallback::next_action(const FallbackInputs& in) {
  if (in_flight_) return std::nullopt;
  for (const ExposureKind kind : {ExposureKind::server_side, ExposureKind::own}) {
    if (const auto& wanted = wanted_[index_of(kind)])
      return begin({FallbackAction::Kind::open_interval, wanted->from, kind, wanted->reason});
  }
  if (phase_ == FallbackPhase::closing && in.now_ns >= off_due_ns_) {
    BL_ASSERT(interval_open_ && !ledger_failed_);
    return begin({FallbackAction::Kind::make_read_only, quorum_at_, ExposureKind::own, reason_});
  }
  const bool switches_off =
      phase_ == FallbackPhase::turning_off || phase_ == FallbackPhase::forgetting;
  if (switches_off && in.now_ns >= off_due_ns_) {
    BL_ASSERT(interval_open_ && !ledger_failed_);
    return begin({FallbackAction::Kind::turn_off, quorum_at_, ExposureKind::own, reason_});
  }
  if (phase_ == FallbackPhase::turning_on)
    return begin({FallbackAction::Kind::turn_on, in.quorum.position, ExposureKind::own,
                  FallbackReason::caught_up});
  if (close_wanted_) {
    BL_ASSERT(close_at_ && interval_open_);
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
  BL_ASSERT(in_flight_ && !completed_);
  const FallbackAction action = *in_flight_;
  in_flight_.reset();
  switch (action.kind) {
    case FallbackAction::Kind::open_interval:
      wanted_[index_of(action.exposure)].reset();
      if (success) {
        interval_open_ = true;
        noted_[index_of(action.exposure)] = true;
        if (unrecorded_ && action.position <= unrecorded_from_) unrecorded_ = false;
      } else {
        fail_ledger();
        miss(action.exposure, action.reason, action.position);
      }
      // The table hears of it as `recorded` or `record_failed`, when it is all there.
      return;
    case FallbackAction::Kind::close_intervals:
      if (success) {
        interval_open_ = false;
        noted_.fill(false);
      } else {
        fail_ledger();
      }
      completed_ = success ? FallbackEvent::closed : FallbackEvent::close_failed;
      return;
    case FallbackAction::Kind::make_read_only:
      completed_ = success ? FallbackEvent::read_only_pending : FallbackEvent::read_only_failed;
      return;
    case FallbackAction::Kind::turn_off:
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
