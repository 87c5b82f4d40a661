// The part of the fallback state machine that others see: states, transitions, predicates.
#include "control/fallback/fallback.h"

namespace binlane {

void Fallback::show(FallbackEvent event, const FallbackInputs& in) {
  FallbackState now = state_;
  switch (phase_) {
    case FallbackPhase::fresh:
    case FallbackPhase::starting:
      now = FallbackState::starting;
      break;
    case FallbackPhase::async:
      now = FallbackState::async;
      break;
    case FallbackPhase::catching_up:
    case FallbackPhase::turning_on:
    case FallbackPhase::confirming:
      now = FallbackState::catching_up;
      break;
    case FallbackPhase::semisync:
      now = FallbackState::semisync;
      break;
    case FallbackPhase::holding:
      now = FallbackState::semisync;
      break;
    case FallbackPhase::shared:
    case FallbackPhase::forgetting:
      now = FallbackState::foreign_acker;
      break;
    case FallbackPhase::recording:
    case FallbackPhase::closing:
    case FallbackPhase::turning_off:
    case FallbackPhase::blocked:
      // As before, unless the server has been seen not to wait.
      if (event == FallbackEvent::server_off) now = FallbackState::async;
      break;
    case FallbackPhase::fenced:
      now = FallbackState::fenced;
      break;
    case FallbackPhase::standby:
      now = FallbackState::standby;
      break;
    case FallbackPhase::refused:
      now = FallbackState::refused;
      break;
  }
  if (now == state_) return;
  FallbackTransition transition;
  transition.from = state_;
  transition.to = now;
  switch (event) {
    case FallbackEvent::ready:
      transition.reason = FallbackReason::quorum_ready;
      break;
    case FallbackEvent::not_ready:
      transition.reason = why_not_ready(in);
      break;
    case FallbackEvent::other_gone:
      transition.reason = FallbackReason::other_gone;
      break;
    case FallbackEvent::turned_off:
      transition.reason =
          phase_ == FallbackPhase::turning_on ? FallbackReason::other_gone : reason_;
      break;
    case FallbackEvent::server_on:
      transition.reason = FallbackReason::server_on;
      break;
    case FallbackEvent::server_restarted:
      transition.reason = FallbackReason::server_restarted;
      break;
    case FallbackEvent::turn_on_failed:
      transition.reason = FallbackReason::turn_on_failed;
      break;
    case FallbackEvent::closed:
    case FallbackEvent::close_failed:
    case FallbackEvent::turned_on:
    case FallbackEvent::wait_ended:
      transition.reason = FallbackReason::caught_up;
      break;
    default:
      transition.reason = reason_;
  }
  transition.quorum = quorum_at_;
  transition.waiting = in.acker_registered ? in.dump.position : in.written.position;
  transition.at_ns = in.now_ns;
  transition.lasted_ns = in.now_ns - state_since_ns_;
  state_ = now;
  state_since_ns_ = in.now_ns;
  last_ = transition;
  ++counters_.transitions;
  if (log_count_ == kLogged) {
    ++counters_.log_lost;
    return;
  }
  log_[(log_first_ + log_count_++) % kLogged] = transition;
}

std::optional<FallbackTransition> Fallback::pop_transition() noexcept {
  if (log_count_ == 0) return std::nullopt;
  const FallbackTransition transition = log_[log_first_];
  log_first_ = (log_first_ + 1) % kLogged;
  --log_count_;
  return transition;
}

bool Fallback::server_should_wait() const noexcept {
  return phase_ == FallbackPhase::confirming || phase_ == FallbackPhase::semisync ||
         phase_ == FallbackPhase::holding || phase_ == FallbackPhase::recording ||
         phase_ == FallbackPhase::closing || phase_ == FallbackPhase::blocked ||
         phase_ == FallbackPhase::shared || phase_ == FallbackPhase::forgetting;
}

bool Fallback::degraded() const noexcept {
  return state_ == FallbackState::async || phase_ == FallbackPhase::catching_up ||
         phase_ == FallbackPhase::turning_on;
}

}  // namespace binlane
