// MarkPace: when a lane publishes its marks.
//
// Publishing copies all marks, which a lone commit must not wait for. So a lane under load
// publishes at a pace, and one that was busy publishes soon after it has become calm: not in its
// first idle turn, because the ACK of a lone commit arrives in the next ones. An idle lane
// publishes every millisecond. Owned by the lane's thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace binlane {

// A lane is calm when it has had nothing to do for this long.
inline constexpr std::uint64_t kCalmNs = 3 * kNanosPerMicro;
// Under load, and without it.
inline constexpr std::uint64_t kPublishNs = 200 * kNanosPerMicro;
inline constexpr std::uint64_t kIdlePublishNs = kNanosPerMilli;
static_assert(kCalmNs < kPublishNs && kPublishNs < kIdlePublishNs);

class MarkPace {
 public:
  // Once a turn, with the work that it did: whether to publish now.
  bool due(std::size_t work, std::uint64_t now_ns) noexcept {
    if (work > 0) {
      changed_ = true;
      worked_ns_ = now_ns;
    }
    const std::uint64_t since_ns = now_ns - published_ns_;
    const bool calm = work == 0 && now_ns - worked_ns_ >= kCalmNs;
    const bool wait = changed_ ? !calm && since_ns < kPublishNs : since_ns < kIdlePublishNs;
    if (wait) return false;
    changed_ = false;
    published_ns_ = now_ns;
    return true;
  }
  // The marks changed outside of a turn, while the lane was quiesced.
  void note_change() noexcept { changed_ = true; }

 private:
  bool changed_ = true;  // since the last publication
  std::uint64_t worked_ns_ = 0;
  std::uint64_t published_ns_ = 0;
};

}  // namespace binlane
