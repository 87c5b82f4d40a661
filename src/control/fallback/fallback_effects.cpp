// The part of the fallback state machine that carries out what a row of its table says.
#include <algorithm>

#include "base/assert.h"
#include "control/fallback/fallback.h"

namespace binlane {
namespace {

constexpr std::uint64_t kOffRetryFirstNs = 100 * kNanosPerMilli;
constexpr std::uint64_t kOffRetryMostNs = 5 * kNanosPerSecond;

// Whether Binlane released the server.
bool is_own(FallbackReason reason) {
  return reason == FallbackReason::timeout || reason == FallbackReason::link_lost ||
         reason == FallbackReason::asked_off || reason == FallbackReason::numbering_over;
}

}  // namespace

void Fallback::apply(FallbackEffect effect, FallbackEvent event, const FallbackInputs& in) {
  switch (effect) {
    case FallbackEffect::none:
      break;
    case FallbackEffect::adopt:
      // At the first look it is unknown who switched it on, or the server's own settings did.
      if (event == FallbackEvent::server_on && phase_ != FallbackPhase::starting) resume();
      // Commits that our OFF has woken may have been counted after the last look.
      if (event == FallbackEvent::turned_on && !looked_since_off_) baseline_.reset();
      watch_for_exposure(in);
      pace_.falls_behind();
      deadline_.reset();
      deadline_.turn(in.now_ns, in.acker_registered ? in.dump.linear : in.written.linear, covered_);
      break;
    case FallbackEffect::expose_own:
      raise_back_off();
      close_wanted_ = false;
      reason_ = in.acker_registered ? FallbackReason::timeout : FallbackReason::link_lost;
      // Not from the quorum itself: the server may have released commits since it was last looked
      // at. In a wait that has timed out the quorum has not moved since, so this is the same
      // position.
      want(ExposureKind::own, reason_, looked_at_[0]);
      break;
    case FallbackEffect::expose_asked:
      close_wanted_ = false;
      asked_off_ = false;  // carried out from here on; held_ keeps it in force
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
      // The same for a numbering that has ended, when the ledger can be written again.
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
      BL_ASSERT(interval_.is_open() && !interval_.ledger_failed());
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
      pace_.raise_back_off(false);
      break;
    case FallbackEffect::clear_hold:
      held_ = degraded_;
      break;
  }
  if (event == FallbackEvent::record_failed && state_ != FallbackState::async &&
      phase_ == FallbackPhase::recording)
    ++counters_.blocked;
}

}  // namespace binlane
