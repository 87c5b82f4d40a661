// FallbackMode: what happens when no quorum has answered within the timeout. A value.
#pragma once

#include <cstdint>

namespace binlane {

enum class FallbackMode : std::uint8_t {
  degrade,  // commits go on without one, recorded in the ledger (MySQL's way)
  block,    // commits keep waiting; a wait ends by the server's own timeout, a KILL, or a shutdown
  fail,     // the server is made read-only, and only commits that wait already are released [S15]
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
