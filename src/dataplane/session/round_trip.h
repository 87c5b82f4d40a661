// RoundTrip: smoothed round-trip time of one session (RFC 6298's estimator, without its one-second
// floor).
#pragma once

#include <algorithm>
#include <cstdint>

#include "dataplane/session/session_limits.h"

namespace binlane {

class RoundTrip {
 public:
  void sample(std::uint64_t rtt_ns) noexcept {
    if (!sampled_) {
      smoothed_ns_ = rtt_ns;
      deviation_ns_ = rtt_ns / 2;
      sampled_ = true;
      return;
    }
    const std::uint64_t error =
        smoothed_ns_ > rtt_ns ? smoothed_ns_ - rtt_ns : rtt_ns - smoothed_ns_;
    deviation_ns_ = (3 * deviation_ns_ + error) / 4;
    smoothed_ns_ = (7 * smoothed_ns_ + rtt_ns) / 8;
  }

  std::uint64_t smoothed_ns() const noexcept { return smoothed_ns_; }

  // How long after the last send silence calls for a probe, when `backoff` probes were not
  // answered.
  std::uint64_t probe_timeout_ns(std::uint32_t backoff) const noexcept {
    const std::uint64_t base =
        std::clamp(2 * smoothed_ns_ + 4 * deviation_ns_, kMinProbeNs, kMaxProbeNs);
    return std::min(base << std::min<std::uint32_t>(backoff, 10), kMaxProbeNs);
  }

  // How long a packet may lag a later one before it counts as lost.
  std::uint64_t reorder_window_ns() const noexcept {
    return std::clamp(smoothed_ns_ + smoothed_ns_ / 4, kMinProbeNs, kMaxProbeNs);
  }

 private:
  std::uint64_t smoothed_ns_ = kInitialRttNs;
  std::uint64_t deviation_ns_ = kInitialRttNs / 2;
  bool sampled_ = false;
};

}  // namespace binlane
