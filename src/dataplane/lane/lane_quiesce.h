// LanePause: how an ordinary thread gets a lane's objects to itself for a moment.
//
// A new incarnation of the source rebuilds the lane's state, which needs memory and files. Rather
// than doing that in the lane, the control thread asks it to stand still, works on its objects, and
// lets it go on. The two atomics give the happens-before in both directions.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

namespace binlane {

class LanePause {
 public:
  // How long control waits for a lane to come to a stand.
  static constexpr std::chrono::milliseconds kPatience{1000};

  // Control thread. The lane stands still once standing() is true. Requests are numbered, so that a
  // lane that is only now leaving the last stand is not taken for one that keeps this one.
  void request() noexcept {
    const std::uint64_t now = wanted_.load(std::memory_order_relaxed);
    if (!stands(now)) wanted_.store(now + 1, std::memory_order_release);
  }
  bool standing() const noexcept {
    const std::uint64_t now = wanted_.load(std::memory_order_relaxed);
    return stands(now) && seen_.load(std::memory_order_acquire) == now;
  }
  void resume() noexcept {
    const std::uint64_t now = wanted_.load(std::memory_order_relaxed);
    if (stands(now)) wanted_.store(now + 1, std::memory_order_release);
  }
  // Asks, and waits for it. False when the lane did not come to it in time.
  bool wait_standing() {
    request();
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!standing()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
    return true;
  }

  // Lane, at the top of a turn: true when the turn must do nothing.
  bool stand() noexcept {
    const std::uint64_t wanted = wanted_.load(std::memory_order_acquire);
    if (wanted != seen_.load(std::memory_order_relaxed))
      seen_.store(wanted, std::memory_order_release);
    return stands(wanted);
  }

  // Times a lane was asked to stand still and was let go on again. Any thread.
  std::uint64_t times() const noexcept { return wanted_.load(std::memory_order_relaxed) / 2; }

 private:
  static constexpr bool stands(std::uint64_t number) noexcept { return number % 2 == 1; }

  // Odd: stand. A lane begins standing still, until its objects are set up.
  std::atomic<std::uint64_t> wanted_{1};
  std::atomic<std::uint64_t> seen_{0};
};

}  // namespace binlane
