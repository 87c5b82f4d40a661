// Heartbeat: by which a thread shows that it turns.
//
// Its thread beats once a turn, and in long work for each step of it (still_alive()); whoever
// watches sees for how long it has not. A thread that has not begun, or has ended, rests: it hangs
// nowhere. beat() and rest() belong to the thread, the rest to anybody.
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

// The heart of the thread that calls, if it has one.
inline thread_local Heartbeat* g_own_heartbeat = nullptr;

// Of a loop whose steps are short and whose number has no small bound.
inline void still_alive() noexcept {
  if (g_own_heartbeat != nullptr) g_own_heartbeat->beat();
}

// A thread's life: its heart is its own until the end.
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
