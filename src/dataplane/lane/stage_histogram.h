// StageHistogram: how long a commit took to a stage, in nanoseconds. One thread records, any reads.
#pragma once

#include "base/histogram.h"

namespace binlane {

// Eight buckets to each power of two: a value is known to an eighth. Durations from 2^40 ns on
// (about 18 minutes) share the last bucket.
using StageHistogram = SharedHistogram<3, 40>;

static_assert(StageHistogram::bucket_index(0) == 0);
static_assert(StageHistogram::bucket_index((std::uint64_t{1} << 40) - 1) ==
              StageHistogram::kBuckets - 1);

}  // namespace binlane
