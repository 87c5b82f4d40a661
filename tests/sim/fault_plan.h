// FaultPlan: which faults a run meets, and when: a few kinds, each some times.
#pragma once

#include <cstdint>
#include <vector>

#include "fault_kind.h"
#include "random.h"

namespace binlane::sim {

struct Fault {
  FaultKind kind = FaultKind::loss;
  std::uint64_t at_ns = 0;
  std::uint64_t length_ns = 0;  // of those that last
  std::uint64_t draw = 0;       // whom it strikes, and how
};

// Faults in the order of their times, within [from, to).
std::vector<Fault> make_fault_plan(Random& random, std::uint64_t from_ns, std::uint64_t to_ns);

}  // namespace binlane::sim
