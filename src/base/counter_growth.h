// counter_growth: how far a counter of somebody else grew between two looks at it.
#pragma once

#include <cstdint>

namespace binlane {

// A counter that went back was reset, and then its whole value has grown since.
constexpr std::uint64_t counter_growth(std::uint64_t before, std::uint64_t now) noexcept {
  return now >= before ? now - before : now;
}

}  // namespace binlane
