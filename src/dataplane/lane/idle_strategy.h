// Idle: what a lane does after a turn that found nothing to do.
//
// On few cores this decides everything: a thread that spins on the core that takes the disk's
// interrupt stalls its own journal until the next tick, and steals the core from the server it
// serves (docs/PERFORMANCE.md). `automatic` yields while commits come one by one, which costs them
// nothing; naps while batches hold several, which leaves the core to the clients that make the
// batches; and naps when nothing has happened for a while. Lane's thread only.
#pragma once

#include <sched.h>

#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "base/sleep.h"

namespace binlane {

enum class IdleStrategy : std::uint8_t { automatic, spin, yield, nap };

class Idle {
 public:
  Idle(IdleStrategy strategy, std::uint64_t nap_us) noexcept
      : strategy_(strategy), nap_ns_(nap_us * kNanosPerMicro) {}

  // After every turn: `work` was done; `batch` is how many commits (or frames) came at once, 0 when
  // none did. `nap(nanoseconds)` sleeps so long, or less where something is there to be seen.
  template <class Nap>
  void after_turn(std::size_t work, std::size_t batch, Nap nap) noexcept {
    if (batch > 0) crowd_ += (static_cast<double>(batch) - crowd_) / kCrowdMemory;
    if (work > 0) {
      empty_turns_ = 0;
      return;
    }
    ++empty_turns_;
    switch (strategy_) {
      case IdleStrategy::spin:
        __builtin_ia32_pause();
        break;
      case IdleStrategy::yield:
        ::sched_yield();
        break;
      case IdleStrategy::nap:
        nap(nap_ns_);
        break;
      case IdleStrategy::automatic:
        if (crowd_ >= kCrowd || empty_turns_ > kQuietTurns) {
          nap(nap_ns_);
        } else {
          ::sched_yield();
        }
        break;
    }
  }

  void after_turn(std::size_t work, std::size_t batch) noexcept {
    after_turn(work, batch, sleep_for_ns);
  }

 private:
  // Batches of more than this on average are a crowd.
  static constexpr double kCrowd = 1.5;
  static constexpr double kCrowdMemory = 16.0;
  // Turns without work after which the lane is taken for quiet: some milliseconds of yielding.
  static constexpr std::uint64_t kQuietTurns = 20'000;

  IdleStrategy strategy_;
  std::uint64_t nap_ns_;
  double crowd_ = 1.0;
  std::uint64_t empty_turns_ = 0;
};

}  // namespace binlane
