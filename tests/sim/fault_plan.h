// FaultPlan: which faults a run meets, and when: a few kinds, each several times.
#pragma once

#include <cstdint>
#include <vector>

#include "fault_kind.h"
#include "random.h"

namespace binlane::sim {

struct Fault {
  FaultKind kind = FaultKind::loss;
  std::uint64_t at_ns = 0;
  std::uint64_t length_ns = 0;  // how long it lasts, for faults that last
  std::uint64_t draw = 0;       // decides which host it strikes, and how
};

// Returns the faults in the order of their times, which are in [from, to).
std::vector<Fault> make_fault_plan(Random& random, std::uint64_t from_ns, std::uint64_t to_ns);

}  // namespace binlane::sim
