#include "control/stream/slow_replicas.h"

#include <algorithm>

namespace binlane {

void SlowReplicas::observe(std::uint64_t now_ns, std::uint64_t limit_ns, std::uint32_t era,
                           ReplicaSet connected,
                           const std::array<std::uint64_t, kMaxReplicas>& marks) noexcept {
  if (era != era_) goals_.fill(std::nullopt);
  era_ = era;
  std::uint64_t furthest = 0;
  for (std::size_t i = 0; i < kMaxReplicas; ++i) {
    if ((connected >> i & 1U) != 0) furthest = std::max(furthest, marks[i]);
  }
  slow_ &= connected;
  for (std::size_t i = 0; i < kMaxReplicas; ++i) {
    if ((connected >> i & 1U) != 0)
      look_at(i, now_ns, limit_ns, marks[i], furthest);
    else
      goals_[i].reset();
  }
}

void SlowReplicas::look_at(std::size_t index, std::uint64_t now_ns, std::uint64_t limit_ns,
                           std::uint64_t mark, std::uint64_t furthest) noexcept {
  const ReplicaSet bit = ReplicaSet{1} << index;
  std::optional<Goal>& goal = goals_[index];
  if (goal && now_ns - goal->since_ns >= limit_ns) {
    if ((slow_ & bit) == 0) ++times_;
    slow_ |= bit;
    calm_since_ns_[index] = now_ns;
  }
  if (goal && mark >= goal->mark) goal.reset();
  if (!goal && mark < furthest) goal = Goal{furthest, now_ns};
  if ((slow_ & bit) != 0 && now_ns - calm_since_ns_[index] >= kCalmLimits * limit_ns) slow_ &= ~bit;
}

}  // namespace binlane
