// Counted: runs a benchmark's loop and reports the allocations of one turn beside its time. The
// lanes promise none; a figure above 0 here is a bug, whatever the time says.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>

#include "support/allocation_counter.h"

namespace binlane::bench {

// `once` does the work of one packet (or commit, or whatever the benchmark's name says).
template <class Once>
void run_counted(benchmark::State& state, Once once) {
  const std::uint64_t before = test::allocation_count();
  for (auto _ : state) once();
  const std::uint64_t after = test::allocation_count();
  state.counters["allocations"] =
      benchmark::Counter(static_cast<double>(after - before), benchmark::Counter::kAvgIterations);
}

}  // namespace binlane::bench
