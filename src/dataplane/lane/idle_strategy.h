// IdleStrategy: what a lane does after a turn that found nothing to do.
//
// On few cores this decides everything. A thread that spins on the core that takes the disk's
// interrupt stalls its own journal until the next tick, and takes the core from the server that it
// serves (docs/PERFORMANCE.md). `automatic` yields while commits come one by one, which costs them
// nothing. It sleeps while batches hold several commits, which leaves the core to the clients that
// make the batches, and when nothing has happened for a while. Lane's thread only.
#pragma once

#include <sched.h>

#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "base/sleep.h"

namespace binlane {

enum class IdleMode : std::uint8_t { automatic, spin, yield, nap };

class IdleStrategy {
 public:
  IdleStrategy(IdleMode strategy, std::uint64_t nap_us) noexcept
      : strategy_(strategy), nap_ns_(nap_us * kNanosPerMicro) {}

  // Call it after every turn: `work` was done; `batch` is how many commits (or frames) came at
  // once, 0 if none did. `nap(nanoseconds)` sleeps for that time, or less if something happens.
  template <class Nap>
  void after_turn(std::size_t work, std::size_t batch, Nap nap) noexcept {
    if (batch > 0) crowd_ += (static_cast<double>(batch) - crowd_) / kCrowdMemory;
    if (work > 0) {
      empty_turns_ = 0;
      return;
    }
    ++empty_turns_;
    switch (strategy_) {
      case IdleMode::spin:
        __builtin_ia32_pause();
        break;
      case IdleMode::yield:
        ::sched_yield();
        break;
      case IdleMode::nap:
        nap(nap_ns_);
        break;
      case IdleMode::automatic:
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
  // Batches that are larger than this on average come from many clients.
  static constexpr double kCrowd = 1.5;
  static constexpr double kCrowdMemory = 16.0;
  // After this many turns without work the lane counts as idle: some milliseconds of yielding.
  static constexpr std::uint64_t kQuietTurns = 20'000;

  IdleMode strategy_;
  std::uint64_t nap_ns_;
  double crowd_ = 1.0;
  std::uint64_t empty_turns_ = 0;
};

}  // namespace binlane
