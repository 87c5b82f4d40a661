// SeqlockValue: the newest value of a small struct, written by one thread and read by any.
//
// Lanes publish their marks and counters with it. A write costs a few stores and never waits; a
// reader that meets a write tries again.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "base/assert.h"

namespace binlane {

template <class T>
class SeqlockValue {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  // The owning thread only.
  void store(const T& value) noexcept {
    const std::uint64_t sequence = sequence_.load(std::memory_order_relaxed);
    BL_ASSERT(sequence % 2 == 0);  // odd: another thread is storing, so there are two owners
    sequence_.store(sequence + 1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    for (std::size_t i = 0; i < kWords; ++i)
      words_[i].store(word(value, i), std::memory_order_relaxed);
    sequence_.store(sequence + 2, std::memory_order_release);
  }

  // Any thread.
  T load() const noexcept {
    std::array<std::uint64_t, kWords> words{};
    for (;;) {
      const std::uint64_t before = sequence_.load(std::memory_order_acquire);
      for (std::size_t i = 0; i < kWords; ++i) words[i] = words_[i].load(std::memory_order_relaxed);
      std::atomic_thread_fence(std::memory_order_acquire);
      if ((before & 1) == 0 && sequence_.load(std::memory_order_relaxed) == before) break;
    }
    T value;
    std::memcpy(static_cast<void*>(&value), words.data(), sizeof value);
    return value;
  }

 private:
  static std::uint64_t word(const T& value, std::size_t index) noexcept {
    std::uint64_t word = 0;
    const std::size_t at = index * sizeof word;
    std::memcpy(&word, reinterpret_cast<const std::byte*>(&value) + at,
                std::min(sizeof word, sizeof value - at));
    return word;
  }

  static constexpr std::size_t kWords = (sizeof(T) + 7) / 8;
  std::atomic<std::uint64_t> sequence_{0};
  std::array<std::atomic<std::uint64_t>, kWords> words_{};
};

}  // namespace binlane
