// VirtualClock: time that only the test moves.
#pragma once

#include <cstdint>

#include "base/time_source.h"

namespace binlane::test {

struct VirtualClock final : TimeSource {
  // Not 0, so that a timestamp nobody set stands out.
  std::uint64_t time_ns = 1'000'000'000;
  std::uint64_t now_ns() const noexcept override { return time_ns; }
};

}  // namespace binlane::test
