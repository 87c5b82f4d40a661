// LanePause: how an ordinary thread gets a lane's objects to itself for a moment.
//
// A new incarnation of the source rebuilds the lane's state, which needs memory and files. Rather
// than doing that in the lane, the control thread asks it to stand still, works on its objects, and
// lets it go on. The two atomics give the happens-before in both directions.
#pragma once

#include <atomic>
#include <cstdint>

namespace binlane {

class LanePause {
 public:
  // Control thread. The lane stands still once standing() is true; a lane that has ended stands
  // still as well.
  void request() noexcept { wanted_.store(true, std::memory_order_release); }
  bool standing() const noexcept { return standing_.load(std::memory_order_acquire); }
  void resume() noexcept { wanted_.store(false, std::memory_order_release); }

  // Lane, at the top of a turn: true when the turn must do nothing.
  bool stand() noexcept {
    const bool wanted = wanted_.load(std::memory_order_acquire);
    if (wanted != standing_.load(std::memory_order_relaxed))
      standing_.store(wanted, std::memory_order_release);
    return wanted;
  }

 private:
  std::atomic<bool> wanted_{true};  // a lane begins standing still, until its objects are set up
  std::atomic<bool> standing_{false};
};

}  // namespace binlane
