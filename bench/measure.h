// measure(): repeats one thing for some time and records its latencies; and what all measurements
// share.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "dataplane/lane/idle_strategy.h"
#include "histogram.h"

namespace binlane::bench {

// Of the time asked for, this part goes before the measurement: caches, ARP, the first RTT sample.
inline constexpr double kWarmUpPart = 0.1;

// What binlaned does between two turns, with the nap that it takes by default.
inline IdleStrategy idle_of(IdleMode strategy) noexcept {
  constexpr std::uint64_t kNapUs = 50;
  return {strategy, kNapUs};
}

inline std::uint64_t nanos(double seconds) noexcept {
  return static_cast<std::uint64_t>(seconds * static_cast<double>(kNanosPerSecond));
}

// Calls `once` for a warm-up and then for `seconds`, and records what it returns: nanoseconds.
template <class Once>
Histogram measure(double seconds, Once once) {
  const std::uint64_t warm_ns = monotonic_ns() + nanos(seconds * kWarmUpPart);
  while (monotonic_ns() < warm_ns) once();
  Histogram histogram;
  const std::uint64_t end_ns = monotonic_ns() + nanos(seconds);
  while (monotonic_ns() < end_ns) histogram.record(once());
  return histogram;
}

}  // namespace binlane::bench
