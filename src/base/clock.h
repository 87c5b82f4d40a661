// Monotonic time. A step of the wall clock changes nothing in Binlane but the text of a log line.
#pragma once

#include <time.h>

#include <concepts>
#include <cstdint>

#include "base/mutant.h"

namespace binlane {

inline constexpr std::uint64_t kNanosPerMicro = 1'000;
inline constexpr std::uint64_t kNanosPerMilli = 1'000'000;
inline constexpr std::uint64_t kNanosPerSecond = 1'000'000'000;
inline constexpr std::uint64_t kSecondsADay = 86'400;

// For people and for JSON.
constexpr double to_micros(std::uint64_t ns) noexcept {
  return static_cast<double>(ns) / static_cast<double>(kNanosPerMicro);
}

// CLOCK_MONOTONIC in nanoseconds (vDSO, about 20 ns a call).
inline std::uint64_t monotonic_ns() noexcept {
  timespec time{};
  clock_gettime(BL_MUTANT(wall_clock_deadlines, CLOCK_REALTIME, CLOCK_MONOTONIC), &time);
  return static_cast<std::uint64_t>(time.tv_sec) * kNanosPerSecond +
         static_cast<std::uint64_t>(time.tv_nsec);
}

// The duty cycles read the time through this concept, so that the simulator can own it.
template <class C>
concept Clock = requires(C clock) {
  { clock.now_ns() } -> std::same_as<std::uint64_t>;
};

struct MonotonicClock {
  std::uint64_t now_ns() const noexcept { return monotonic_ns(); }
};

}  // namespace binlane
