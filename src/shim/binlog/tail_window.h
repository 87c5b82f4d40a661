// TailWindow: the newest bytes of a stream, in a ring, so that bytes that were just written are
// sent without reading them a second time.
//
// Indexed by the stream's linear coordinate. The unit of a file's end takes one byte that nobody
// reads. Allocated at construction. Owned by the source's lane.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"

namespace binlane {

class TailWindow {
 public:
  static constexpr std::size_t kDefaultCapacity = std::size_t{2} << 20;

  explicit TailWindow(std::size_t capacity = kDefaultCapacity) : ring_(capacity) {
    BL_ASSERT(std::has_single_bit(capacity));
  }

  // Empty, at `linear`.
  void reset(std::uint64_t linear) noexcept {
    begin_ = linear;
    end_ = linear;
  }

  std::uint64_t end() const noexcept { return end_; }
  // True if the window holds the byte at `linear`.
  bool holds(std::uint64_t linear) const noexcept { return linear >= begin_ && linear < end_; }

  // Room for the next bytes: up to `size` of them, fewer at the ring's end. The bytes that were
  // there no longer count, whether the room is used or not.
  MutableBytes room(std::size_t size) noexcept {
    const std::size_t at = index_of(end_);
    const std::size_t length = std::min(size, ring_.size() - at);
    forget_before(end_ + length);
    return {ring_.data() + at, length};
  }
  // The first `size` bytes of the room were filled.
  void add(std::size_t size) noexcept {
    BL_ASSERT(size <= ring_.size() - index_of(end_));
    end_ += size;
  }
  // The unit of a file's end.
  void add_file_end() noexcept {
    room(1)[0] = std::byte{0};
    add(1);
  }

  // Copies from `linear`, which it holds, what it has and `out` takes; returns how much.
  std::size_t copy(std::uint64_t linear, MutableBytes out) const noexcept {
    BL_ASSERT(holds(linear));
    const auto length =
        static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), end_ - linear));
    const std::size_t at = index_of(linear);
    const std::size_t first = std::min(length, ring_.size() - at);
    std::memcpy(out.data(), ring_.data() + at, first);
    std::memcpy(out.data() + first, ring_.data(), length - first);
    return length;
  }

 private:
  std::size_t index_of(std::uint64_t linear) const noexcept {
    return static_cast<std::size_t>(linear & (ring_.size() - 1));
  }
  void forget_before(std::uint64_t new_end) noexcept {
    if (new_end - begin_ > ring_.size()) begin_ = new_end - ring_.size();
  }

  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
  std::vector<std::byte> ring_;
};

}  // namespace binlane
