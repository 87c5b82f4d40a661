#include "control/status/native_histogram.h"

#include <cmath>
#include <map>

#include "base/clock.h"
#include "dataplane/lane/stage_histogram.h"

namespace binlane {
namespace {

// The middle of the bucket of StageHistogram whose greatest value this is, in seconds.
double middle_s(std::uint64_t upper_ns) {
  const std::size_t index = StageHistogram::bucket_index(upper_ns);
  const std::uint64_t lower_ns = index == 0 ? 0 : StageHistogram::bucket_end(index - 1) + 1;
  return static_cast<double>(lower_ns + upper_ns) / 2 / static_cast<double>(kNanosPerSecond);
}

}  // namespace

NativeHistogram native_histogram(
    const std::vector<std::pair<std::uint64_t, std::uint64_t>>& buckets) {
  NativeHistogram made;
  std::map<std::int32_t, std::uint64_t> counts;
  for (const auto& [upper_ns, count] : buckets) {
    const double value = middle_s(upper_ns);
    if (value <= kNativeZeroThreshold)
      made.zero_count += count;
    else  // bucket i ends at 2^(i / 2^schema)
      counts[static_cast<std::int32_t>(std::ceil(std::ldexp(std::log2(value), kNativeSchema)))] +=
          count;
  }
  std::int32_t next = 0;
  std::int64_t before = 0;
  for (const auto& [index, count] : counts) {
    if (made.spans.empty() || index != next) made.spans.push_back({index - next, 0});
    ++made.spans.back().length;
    made.deltas.push_back(static_cast<std::int64_t>(count) - before);
    before = static_cast<std::int64_t>(count);
    next = index + 1;
  }
  return made;
}

}  // namespace binlane
