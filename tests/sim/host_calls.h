// HostCalls: makes the simulator the owner of its process's clocks and entropy.
//
// While one is installed, clock_gettime() returns virtual time (the wall clock with an offset that
// a fault may change), and getrandom() returns numbers of the seed. So nothing that production code
// asks its host can make a run differ from its repetition, and a decision by the wall clock shows.
// One at a time, on one thread.
#pragma once

#include <cstdint>

#include "random.h"
#include "support/virtual_clock.h"

namespace binlane::sim {

class HostCalls {
 public:
  HostCalls(const test::VirtualClock& clock, Random entropy) noexcept;
  ~HostCalls();
  HostCalls(const HostCalls&) = delete;
  HostCalls& operator=(const HostCalls&) = delete;

  // The offset of the wall clock in seconds; a fault may move it back.
  std::int64_t wall_offset_s = 1'700'000'000;

  const test::VirtualClock& clock() const noexcept { return clock_; }
  std::uint64_t draw() noexcept { return entropy_.next(); }

 private:
  const test::VirtualClock& clock_;
  Random entropy_;
};

}  // namespace binlane::sim
