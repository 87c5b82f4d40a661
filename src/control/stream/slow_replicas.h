// SlowReplicas: which connected replicas keep commits waiting that others have had for long (a disk
// that has become slow, a host that swaps): gray failures, which no connection timeout finds.
//
// A replica that lags another one is given a goal: what the furthest one has at that moment. If it
// has not reached the goal within the limit, it is slow. It remains so until it has reached every
// goal in time for kCalmLimits limits in a row. No I/O, no clock; the source's control thread owns
// it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "dataplane/session/quorum_rule.h"

namespace binlane {

class SlowReplicas {
 public:
  static constexpr std::uint64_t kCalmLimits = 8;

  // One look: which replicas are connected, and how far each has come. Marks of other coordinates
  // are not compared with those before.
  void observe(std::uint64_t now_ns, std::uint64_t limit_ns, std::uint32_t era,
               ReplicaSet connected, const std::array<std::uint64_t, kMaxReplicas>& marks) noexcept;

  ReplicaSet slow() const noexcept { return slow_; }
  // Times that a replica turned slow.
  std::uint64_t times() const noexcept { return times_; }

 private:
  struct Goal {
    std::uint64_t mark = 0;
    std::uint64_t since_ns = 0;
  };
  void look_at(std::size_t index, std::uint64_t now_ns, std::uint64_t limit_ns, std::uint64_t mark,
               std::uint64_t furthest) noexcept;

  ReplicaSet slow_ = 0;
  std::uint64_t times_ = 0;
  std::uint32_t era_ = 0;
  std::array<std::optional<Goal>, kMaxReplicas> goals_{};
  std::array<std::uint64_t, kMaxReplicas> calm_since_ns_{};
};

}  // namespace binlane
