// Histogram: latencies in nanoseconds as benchmarks report them. Each client owns one, and the
// reporter merges.
#pragma once

#include "base/histogram.h"

namespace binlane::bench {

// 128 buckets to each power of two: a reported value is at most 0.8 % above the recorded one.
using Histogram = binlane::Histogram<7, 64>;

}  // namespace binlane::bench
