#include "control/fallback/wait_deadline.h"

#include <algorithm>

#include "base/assert.h"
#include "base/mutant.h"

namespace binlane {

WaitDeadline::WaitDeadline(std::uint64_t timeout_ns, std::uint64_t hard_limit_ns) noexcept
    : timeout_ns_(timeout_ns),
      hard_limit_ns_(hard_limit_ns),
      merge_ns_(timeout_ns / kSamplesPerTimeout) {
  BL_ASSERT(timeout_ns > 0);
  BL_ASSERT(hard_limit_ns >= timeout_ns);
}

void WaitDeadline::set_limits(std::uint64_t timeout_ns, std::uint64_t hard_limit_ns) noexcept {
  BL_ASSERT(timeout_ns > 0);
  BL_ASSERT(hard_limit_ns >= timeout_ns);
  timeout_ns_ = timeout_ns;
  hard_limit_ns_ = hard_limit_ns;
  merge_ns_ = timeout_ns / kSamplesPerTimeout;
}

void WaitDeadline::turn(std::uint64_t now_ns, std::uint64_t waiting,
                        std::uint64_t covered) noexcept {
  BL_ASSERT(!started_ || now_ns >= now_ns_);
  const std::uint64_t elapsed_ns = started_ ? now_ns - now_ns_ : 0;
  started_ = true;
  now_ns_ = now_ns;
  if (elapsed_ns > kPauseNs) {
    ++pauses_;
    ++pauses_in_a_row_;
    pause_end_ns_ = now_ns;
    active_ns_ += std::min(kPauseNs, timeout_ns_ / kPausePartOfTimeout);
  } else {
    pauses_in_a_row_ = 0;
    active_ns_ += elapsed_ns;
  }
  if (covered > covered_) {
    covered_ = covered;
    progress_active_ns_ = active_ns_;
  }
  while (count_ > 0 && oldest().mark <= covered_) {
    first_ = (first_ + 1) % kSamples;
    --count_;
  }
  if (waiting > waiting_) {
    waiting_ = waiting;
    if (waiting > covered_) take_sample(waiting);
  }
  BL_ASSERT(count_ == 0 || oldest().mark > covered_);
}

void WaitDeadline::take_sample(std::uint64_t waiting) noexcept {
  if (count_ > 0) {
    const bool full = count_ == kSamples;
    if (full) ++merged_;
    if (full || active_ns_ - newest().active_ns < merge_ns_) {
      newest().mark = waiting;
      return;
    }
  }
  ++count_;
  newest() = {active_ns_, now_ns_, waiting};
}

bool WaitDeadline::expired() const noexcept {
  if (count_ == 0) return false;
  // If turns are always late, that is this host's pace, not a pause.
  const bool settled = pauses_ == 0 || pauses_in_a_row_ > 1 || now_ns_ - pause_end_ns_ >= kGraceNs;
  if (!settled) return false;
  return stalled_ns() >= timeout_ns_ ||
         BL_MUTANT(late_deadline, false, now_ns_ - oldest().real_ns >= hard_limit_ns_);
}

std::uint64_t WaitDeadline::oldest_wait_ns() const noexcept {
  return count_ == 0 ? 0 : active_ns_ - oldest().active_ns;
}

std::uint64_t WaitDeadline::stalled_ns() const noexcept {
  if (count_ == 0) return 0;
  return active_ns_ - std::max(oldest().active_ns, progress_active_ns_);
}

void WaitDeadline::reset() noexcept {
  waiting_ = 0;
  covered_ = 0;
  progress_active_ns_ = active_ns_;
  first_ = 0;
  count_ = 0;
}

}  // namespace binlane
