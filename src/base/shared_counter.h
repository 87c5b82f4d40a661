// SharedCounter: a counter that one thread writes and any thread reads.
//
// An ordinary load and store, without a locked instruction, so a lane may count on its hot path.
#pragma once

#include <atomic>
#include <cstdint>

namespace binlane {

class SharedCounter {
 public:
  // The one writer's thread.
  void add(std::uint64_t count = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
  // Any thread.
  std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

}  // namespace binlane
