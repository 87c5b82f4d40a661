// FallbackMode: what happens when no quorum has answered within the timeout. A value.
#pragma once

#include <cstdint>

namespace binlane {

enum class FallbackMode : std::uint8_t {
  degrade,  // commits go on without one, in the ledger (MySQL's way)
  block,    // commits wait on; what ends a wait is the server's own timeout, a KILL, or a shutdown
  fail,     // the server is made read-only, and only those that wait already are released (S15)
};

constexpr const char* to_string(FallbackMode mode) noexcept {
  switch (mode) {
    case FallbackMode::degrade:
      return "degrade";
    case FallbackMode::block:
      return "block";
    case FallbackMode::fail:
      return "fail";
  }
  return "?";
}

}  // namespace binlane
