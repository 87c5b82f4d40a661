// OtherAckersRule: what Binlane does while somebody else acknowledges commits (safety rule S23).
#pragma once

#include <cstdint>

namespace binlane {

enum class OtherAckersRule : std::uint8_t {
  report,  // the server goes on waiting for whoever acknowledges, in the ledger
  refuse   // semi-sync is switched off until Binlane is the only one
};
constexpr const char* to_string(OtherAckersRule rule) noexcept {
  return rule == OtherAckersRule::report ? "report" : "refuse";
}

}  // namespace binlane
