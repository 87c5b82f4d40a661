// Heartbeat: a thread shows by it that the thread makes progress.
//
// The thread beats once a turn, and once for each step of long work (still_alive()). An observer
// sees for how long it has not beaten. A thread that has not begun, or has ended, rests, and does
// not count as hanging. beat() and rest() belong to the thread; any thread may call the rest.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace binlane {

class Heartbeat {
 public:
  void beat() noexcept { at_ns_.store(monotonic_ns(), std::memory_order_relaxed); }
  void rest() noexcept { at_ns_.store(kResting, std::memory_order_relaxed); }
  // How long the thread has not turned; 0 while it rests.
  std::uint64_t silent_ns(std::uint64_t now_ns) const noexcept {
    const std::uint64_t at_ns = at_ns_.load(std::memory_order_relaxed);
    return at_ns == kResting ? 0 : now_ns - std::min(now_ns, at_ns);
  }

 private:
  static constexpr std::uint64_t kResting = 0;
  std::atomic<std::uint64_t> at_ns_{kResting};
};

// The heart of the calling thread, if it has one.
inline thread_local Heartbeat* g_own_heartbeat = nullptr;

// For a loop whose steps are short and whose number has no small bound.
inline void still_alive() noexcept {
  if (g_own_heartbeat != nullptr) g_own_heartbeat->beat();
}

// Lasts as long as the thread: its heart belongs to the thread until then.
class HeartbeatScope {
 public:
  explicit HeartbeatScope(Heartbeat& heart) noexcept : heart_(heart) {
    g_own_heartbeat = &heart_;
    heart_.beat();
  }
  ~HeartbeatScope() {
    g_own_heartbeat = nullptr;
    heart_.rest();
  }
  HeartbeatScope(const HeartbeatScope&) = delete;
  HeartbeatScope& operator=(const HeartbeatScope&) = delete;

 private:
  Heartbeat& heart_;
};

}  // namespace binlane
