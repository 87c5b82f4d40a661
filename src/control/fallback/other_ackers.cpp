#include "control/fallback/other_ackers.h"

namespace binlane {

OtherAckers AckerWatch::observe(std::uint64_t now_ns, std::uint64_t clients, const OwnAcker& before,
                                const OwnAcker& after) noexcept {
  const bool registered = before.registered && before == after;
  if (registered && (!registered_ || registered_connection_ != after.connection)) {
    registered_connection_ = after.connection;
    registered_since_ns_ = now_ns;
  }
  registered_ = registered;
  count_ = 0;
  const std::uint64_t own = registered ? 1 : 0;
  if (clients <= own) {
    unclear_since_ns_.reset();
    return OtherAckers::none;
  }
  if (!unclear_since_ns_) unclear_since_ns_ = now_ns;
  const bool settled = registered && now_ns - registered_since_ns_ >= kSettleNs;
  // Without a connection of ours, one client may be what is left of our last connection.
  const bool for_long = now_ns - *unclear_since_ns_ >= kUnclearMostNs && clients > 1;
  if (!settled && !for_long) return OtherAckers::unclear;
  count_ = clients - 1;
  return OtherAckers::present;
}

}  // namespace binlane
