// TimeSource: the time for ordinary threads.
//
// Lanes read a Clock that is known at compile time (base/clock.h). Control is not hot: it asks an
// object, which is the machine's clock in the daemon and the simulator's own in a simulated run.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace binlane {

class TimeSource {
 public:
  virtual ~TimeSource() = default;
  // Monotonic; see monotonic_ns().
  virtual std::uint64_t now_ns() const noexcept = 0;
};

class MonotonicTime final : public TimeSource {
 public:
  std::uint64_t now_ns() const noexcept override { return monotonic_ns(); }
};

}  // namespace binlane
