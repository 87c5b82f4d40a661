// Random: the simulator's only source of chance. It is a generator of our own (SplitMix64), so that
// a seed means the same with every standard library.
#pragma once

#include <cstdint>

#include "base/assert.h"

namespace binlane::sim {

class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}

  std::uint64_t next() noexcept {
    std::uint64_t mixed = (state_ += 0x9e3779b97f4a7c15);
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    return mixed ^ mixed >> 31;
  }
  // 0 … bound - 1.
  std::uint64_t below(std::uint64_t bound) noexcept {
    BL_ASSERT(bound > 0);
    return next() % bound;
  }
  // first … last, both included.
  std::uint64_t between(std::uint64_t first, std::uint64_t last) noexcept {
    BL_ASSERT(first <= last);
    return first + below(last - first + 1);
  }
  bool one_in(std::uint64_t count) noexcept { return below(count) == 0; }
  // A separate generator for one part, so that the draws of one part do not shift those of another.
  Random fork() noexcept { return Random(next()); }

 private:
  std::uint64_t state_;
};

}  // namespace binlane::sim
