// OtherAckersRule: what Binlane does while another client acknowledges commits. [S23]
#pragma once

#include <cstdint>

namespace binlane {

enum class OtherAckersRule : std::uint8_t {
  report,  // the server keeps waiting for any client that acknowledges, and the ledger records it
  refuse   // semi-sync is switched off until Binlane is the only client
};
constexpr const char* to_string(OtherAckersRule rule) noexcept {
  return rule == OtherAckersRule::report ? "report" : "refuse";
}

}  // namespace binlane
