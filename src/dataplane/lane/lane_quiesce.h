// LaneQuiesce: how an ordinary thread gets a lane's objects to itself for a moment.
//
// A new incarnation of the source resets the lane's state, which needs memory and files. Instead of
// doing that in the lane, the control thread quiesces the lane, works on its objects, and resumes
// it. The two atomics give the happens-before in both directions.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

namespace binlane {

class LaneQuiesce {
 public:
  // How long control waits for a lane to quiesce.
  static constexpr std::chrono::milliseconds kPatience{1000};

  // Control thread. The lane is quiesced once is_quiesced() is true. Requests are numbered, so that
  // a lane that is only now leaving the last quiesced state is not taken for one that has entered
  // this one.
  void request() noexcept {
    const std::uint64_t now = wanted_.load(std::memory_order_relaxed);
    if (!stands(now)) wanted_.store(now + 1, std::memory_order_release);
  }
  // Control has asked for it and not resumed the lane, which may still be in its last turn.
  bool is_requested() const noexcept { return stands(wanted_.load(std::memory_order_relaxed)); }
  bool is_quiesced() const noexcept {
    const std::uint64_t now = wanted_.load(std::memory_order_relaxed);
    return stands(now) && seen_.load(std::memory_order_acquire) == now;
  }
  void resume() noexcept {
    const std::uint64_t now = wanted_.load(std::memory_order_relaxed);
    if (stands(now)) wanted_.store(now + 1, std::memory_order_release);
  }
  // Asks the lane to quiesce, and waits for it. Returns false if the lane did not quiesce in time.
  bool wait_quiesced() {
    request();
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!is_quiesced()) {
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

  // How many times the lane was asked to quiesce and was resumed. Any thread.
  std::uint64_t times() const noexcept { return wanted_.load(std::memory_order_relaxed) / 2; }

 private:
  static constexpr bool stands(std::uint64_t number) noexcept { return number % 2 == 1; }

  // Odd: quiesce. A lane begins quiesced, until its objects are set up.
  std::atomic<std::uint64_t> wanted_{1};
  std::atomic<std::uint64_t> seen_{0};
};

}  // namespace binlane
