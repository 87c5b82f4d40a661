// HostCalls: the simulator owns the clocks and the entropy of its process.
//
// While one is installed, clock_gettime() gives virtual time (the wall clock with an offset that a
// fault may move) and getrandom() gives numbers of the seed. So nothing that production code asks
// its host can make a run differ from its repetition, and a wall clock that decides anything shows.
// One at a time, one thread.
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

  // Seconds that the wall clock is off; it may go back.
  std::int64_t wall_offset_s = 1'700'000'000;

  const test::VirtualClock& clock() const noexcept { return clock_; }
  std::uint64_t draw() noexcept { return entropy_.next(); }

 private:
  const test::VirtualClock& clock_;
  Random entropy_;
};

}  // namespace binlane::sim
