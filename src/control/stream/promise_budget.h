// PromiseBudget: how often a replica may promise itself anew. Pure.
//
// Every promise is several synchronous writes beside the journal, and ends a source's term, so no
// sender may cause promises at the network's pace. A candidate that finds its term taken bids for a
// later one within milliseconds, at most a few times: that many are saved up. Beyond them one
// promise a second is given. A HELLO that comes earlier is not answered, and its sender repeats it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"

namespace binlane {

class PromiseBudget {
 public:
  // As many bids as one promotion may make (kMaxTermAttempts in control/failover/promoter.h).
  static constexpr std::uint64_t kSaved = 4;
  static constexpr std::uint64_t kPaceNs = kNanosPerSecond;

  // Takes one; returns false if it is too early.
  bool take(std::uint64_t now_ns) noexcept {
    const std::uint64_t earned = begun_ && now_ns > last_ns_ ? (now_ns - last_ns_) / kPaceNs : 0;
    if (!begun_) last_ns_ = now_ns;
    begun_ = true;
    last_ns_ += earned * kPaceNs;
    left_ = std::min(kSaved, left_ + earned);
    if (left_ == 0) return false;
    --left_;
    return true;
  }

 private:
  bool begun_ = false;
  std::uint64_t last_ns_ = 0;
  std::uint64_t left_ = kSaved;
};

}  // namespace binlane
