#include "histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/assert.h"

namespace binlane::bench {

Histogram::Histogram() : counts_(kBuckets, 0) {}

std::size_t Histogram::bucket_index(std::uint64_t value) noexcept {
  if (value < kSubBuckets) return static_cast<std::size_t>(value);
  // The value's top kSubBucketBits + 1 bits: the first is always set and selects the power of two,
  // the others select the bucket inside it.
  const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - kSubBucketBits - 1;
  const std::uint64_t sub_bucket = (value >> shift) - kSubBuckets;
  return static_cast<std::size_t>((shift + 1) * kSubBuckets + sub_bucket);
}

std::uint64_t Histogram::bucket_end(std::size_t index) noexcept {
  BL_ASSERT(index < kBuckets);
  const std::uint64_t group = index / kSubBuckets;
  const std::uint64_t sub_bucket = index % kSubBuckets;
  if (group == 0) return sub_bucket;
  const std::uint64_t shift = group - 1;
  // In the last bucket the shifted number wraps to 0, and 0 - 1 is the largest value: as it should.
  return ((kSubBuckets + sub_bucket + 1) << shift) - 1;
}

void Histogram::record(std::uint64_t value) noexcept {
  ++counts_[bucket_index(value)];
  ++count_;
  max_ = std::max(max_, value);
}

void Histogram::merge(const Histogram& other) noexcept {
  for (std::size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

void Histogram::clear() noexcept {
  std::fill(counts_.begin(), counts_.end(), 0);
  count_ = 0;
  max_ = 0;
}

std::uint64_t Histogram::quantile(double fraction) const noexcept {
  if (count_ == 0) return 0;
  const double clamped = std::clamp(fraction, 0.0, 1.0);
  const auto wanted = static_cast<std::uint64_t>(std::ceil(clamped * static_cast<double>(count_)));
  const std::uint64_t rank = std::clamp<std::uint64_t>(wanted, 1, count_);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += counts_[i];
    if (seen >= rank) return std::min(bucket_end(i), max_);
  }
  return max_;
}

}  // namespace binlane::bench
