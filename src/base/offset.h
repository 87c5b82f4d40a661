// Offset: a place in one of the coordinate systems that count the stream's bytes linearly.
//
// A session counts from where it began, so the same byte has another number in the stream than in a
// session with a replica. The two are different types: neither becomes the other by accident, and
// only SourcePeer (dataplane/lane/source_peer.h) translates. A journal counts a third way, and only
// ReceiverSession translates there. Differences are bytes.
#pragma once

#include <compare>
#include <cstdint>

namespace binlane {

template <class System>
struct Offset {
  std::uint64_t value = 0;

  constexpr Offset() noexcept = default;
  explicit constexpr Offset(std::uint64_t at) noexcept : value(at) {}

  constexpr auto operator<=>(const Offset&) const noexcept = default;
  constexpr Offset& operator+=(std::uint64_t bytes) noexcept {
    value += bytes;
    return *this;
  }
  friend constexpr Offset operator+(Offset at, std::uint64_t bytes) noexcept {
    return Offset(at.value + bytes);
  }
  // `to` is not before `from`.
  friend constexpr std::uint64_t operator-(Offset to, Offset from) noexcept {
    return to.value - from.value;
  }
};

// From where a session with a replica began.
using SessionOffset = Offset<struct InSession>;

}  // namespace binlane
