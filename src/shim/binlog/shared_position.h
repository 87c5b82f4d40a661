// SharedPosition: one thread writes a position, any thread reads a consistent one (a seqlock).
//
// The writer never waits. A reader that meets a write in progress tries again. The lane uses
// try_load(), which has a bound, because the writer may be off its core at that moment. The order
// comes from acquire and release on the fields themselves, not from fences, which ThreadSanitizer
// cannot follow.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

#include "base/position.h"

namespace binlane {

class SharedPosition {
 public:
  // One thread only.
  void store(const Position& position) noexcept {
    const std::uint64_t version = version_.load(std::memory_order_relaxed);
    version_.store(version + 1, std::memory_order_relaxed);
    file_.store(position.file, std::memory_order_release);
    offset_.store(position.offset, std::memory_order_release);
    version_.store(version + 2, std::memory_order_release);
  }

  // Returns false if a write was in progress each time; `position` is then unchanged.
  bool try_load(Position& position) const noexcept {
    constexpr int kAttempts = 4;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      const std::uint64_t before = version_.load(std::memory_order_acquire);
      const Position read{file_.load(std::memory_order_acquire),
                          offset_.load(std::memory_order_acquire)};
      if (before % 2 != 0 || version_.load(std::memory_order_relaxed) != before) continue;
      position = read;
      return true;
    }
    return false;
  }

  // Ordinary threads: waits out a write, which is four stores long.
  Position load() const noexcept {
    Position position;
    while (!try_load(position)) std::this_thread::yield();
    return position;
  }

 private:
  std::atomic<std::uint64_t> version_{0};
  std::atomic<std::uint32_t> file_{0};
  std::atomic<std::uint64_t> offset_{0};
};

}  // namespace binlane
