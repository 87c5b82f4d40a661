// DelayLine: packets in transit, each due a fixed time after it came in.
//
// Bounded: a packet that does not fit is not taken, and its owner counts it. No I/O and no clock;
// used by one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"

namespace binlane {

template <class Item, std::size_t kCapacity>
class DelayLine {
 public:
  explicit DelayLine(std::uint64_t delay_ns) noexcept : delay_ns_(delay_ns) {}

  bool delays() const noexcept { return delay_ns_ > 0; }
  bool empty() const noexcept { return count_ == 0; }

  // False when the line is full.
  [[nodiscard]] bool push(Item item, std::uint64_t now_ns) noexcept {
    if (count_ == kCapacity) return false;
    line_[(first_ + count_++) % kCapacity] = {item, now_ns + delay_ns_};
    return true;
  }
  // In the order in which they came.
  bool due(std::uint64_t now_ns) const noexcept {
    return count_ > 0 && now_ns >= line_[first_].due_ns;
  }
  Item pop() noexcept {
    BL_ASSERT(count_ > 0);
    const Item item = line_[first_].item;
    first_ = (first_ + 1) % kCapacity;
    --count_;
    return item;
  }

 private:
  struct Underway {
    Item item{};
    std::uint64_t due_ns = 0;
  };

  const std::uint64_t delay_ns_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  std::array<Underway, kCapacity> line_{};
};

}  // namespace binlane
