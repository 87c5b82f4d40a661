#include "control/fallback/recovery_pace.h"

#include <algorithm>

#include "base/assert.h"

namespace binlane {
namespace {

// Doubling a millisecond this often passes every bound that recover_backoff_max_ns may have.
constexpr std::uint32_t kMaxFlaps = 24;

// Doubled `times` times, up to `most`.
std::uint64_t doubled(std::uint64_t value, std::uint32_t times, std::uint64_t most) {
  for (std::uint32_t i = 0; i < times && value < most; ++i) value *= 2;
  return std::min(value, most);
}

}  // namespace

bool RecoveryPace::is_ready(std::uint64_t now_ns) noexcept {
  if (!ready_since_ns_) ready_since_ns_ = now_ns;
  BL_ASSERT(now_ns >= *ready_since_ns_);
  return now_ns - *ready_since_ns_ >= connect_hold_ns();
}

void RecoveryPace::not_ready(bool lost) noexcept {
  if (lost) connect_flaps_ = std::min(connect_flaps_ + 1, kMaxFlaps);
  ready_since_ns_.reset();
}

bool RecoveryPace::keeps_up(std::uint64_t now_ns) noexcept {
  if (!keeping_up_since_ns_) keeping_up_since_ns_ = now_ns;
  BL_ASSERT(now_ns >= *keeping_up_since_ns_);
  return now_ns - *keeping_up_since_ns_ >= hold_ns();
}

void RecoveryPace::raise_back_off(bool lasted) noexcept {
  flaps_ = lasted ? 0 : std::min(flaps_ + 1, kMaxFlaps);
  if (lasted) connect_flaps_ = 0;
}

std::uint64_t RecoveryPace::hold_ns() const noexcept {
  return doubled(after_ns_, flaps_, most_ns_);
}

std::uint64_t RecoveryPace::connect_hold_ns() const noexcept {
  return connect_flaps_ == 0 ? 0 : doubled(after_ns_, connect_flaps_, most_ns_);
}

}  // namespace binlane
