// Byte spans and unaligned little-endian access. All wire and disk numbers of Binlane and of the
// MySQL protocol are little endian.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "binlane/little_endian.h"

namespace binlane {

using ConstBytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

// Reads a little-endian number at `data`; the caller has checked that sizeof(T) bytes are there.
template <std::unsigned_integral T>
inline T load_le(const std::byte* data) noexcept {
  T value;
  std::memcpy(&value, data, sizeof value);
  return value;
}

// Asks for every cache line of `bytes`, which are read soon.
inline void prefetch(ConstBytes bytes) noexcept {
  constexpr std::size_t kCacheLine = 64;
  for (std::size_t at = 0; at < bytes.size(); at += kCacheLine)
    __builtin_prefetch(bytes.data() + at);
}

template <std::unsigned_integral T>
inline void store_le(std::byte* data, T value) noexcept {
  std::memcpy(data, &value, sizeof value);
}

}  // namespace binlane
