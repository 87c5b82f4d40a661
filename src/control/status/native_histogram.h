// NativeHistogram: a stage's histogram in the form of Prometheus' native ("sparse") histograms.
//
// Prometheus' buckets of schema 3 grow by the eighth root of two; ours (StageHistogram) are even
// within each power of two. So a bucket of ours is counted in the Prometheus bucket that holds its
// middle. Both know a value to about an eighth. Pure.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace binlane {

inline constexpr int kNativeSchema = 3;  // 2^3 buckets to each power of two
// Below this a duration counts as zero: one nanosecond, in seconds.
inline constexpr double kNativeZeroThreshold = 1e-9;

struct NativeHistogram {
  // A run of buckets without a hole; `offset` is the distance from the end of the previous run, or
  // for the first one its index.
  struct Span {
    std::int32_t offset = 0;
    std::uint32_t length = 0;

    bool operator==(const Span&) const = default;
  };
  std::uint64_t zero_count = 0;
  std::vector<Span> spans;
  std::vector<std::int64_t> deltas;  // of each bucket's count to that of the previous bucket
};

// `buckets`: the greatest value of a bucket of StageHistogram in ns, and its count; rising.
NativeHistogram native_histogram(
    const std::vector<std::pair<std::uint64_t, std::uint64_t>>& buckets);

}  // namespace binlane
