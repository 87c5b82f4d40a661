#include "control/source/pause_watch.h"

#include <time.h>

#include <chrono>

#include "base/clock.h"

namespace binlane {
namespace {

constexpr std::chrono::milliseconds kTurn{50};
static_assert(kTurn < std::chrono::nanoseconds(PauseDetector::kPauseNs));

// Like the monotonic clock, but it counts on while the machine is suspended.
std::uint64_t boot_time_ns() noexcept {
  timespec time{};
  clock_gettime(CLOCK_BOOTTIME, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * kNanosPerSecond +
         static_cast<std::uint64_t>(time.tv_nsec);
}

}  // namespace

void PauseWatch::start() {
  thread_ = std::thread([this] { run(); });
}

void PauseWatch::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void PauseWatch::run() {
  PauseDetector detector;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const std::uint64_t pause_ns = detector.turn(boot_time_ns());
    if (pause_ns > longest_ns_.load(std::memory_order_acquire))
      longest_ns_.store(pause_ns, std::memory_order_release);
    wake_.wait_for(lock, kTurn, [this] { return stopping_; });
  }
}

}  // namespace binlane
