// Histogram and SharedHistogram: how often values of each size occurred.
//
// Buckets grow with the value: each power of two has 2^SubBits of them, so a reported value is at
// most 1 / 2^SubBits above the recorded one, without any configuration. Recording is a shift and an
// addition. A Histogram is a plain value of one thread. A SharedHistogram is recorded by one thread
// and read by any, as a Histogram.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "base/shared_counter.h"

namespace binlane {

// The buckets alone. Values of more than MaxBits bits share the last one.
template <unsigned SubBits, unsigned MaxBits>
struct HistogramBuckets {
  static_assert(SubBits > 0 && SubBits < MaxBits && MaxBits <= 64);
  static constexpr std::uint64_t kSubBuckets = std::uint64_t{1} << SubBits;
  // Values below kSubBuckets have a bucket each; every further power of two has kSubBuckets.
  static constexpr std::size_t kBuckets = (MaxBits - SubBits + 1) * kSubBuckets;

  static constexpr std::size_t bucket_index(std::uint64_t value) noexcept {
    if (value < kSubBuckets) return static_cast<std::size_t>(value);
    const auto bits = static_cast<unsigned>(std::bit_width(value));
    if (bits > MaxBits) return kBuckets - 1;
    // The top SubBits + 1 bits: the first is always set and selects the power of two, the others
    // select the bucket inside it.
    const unsigned shift = bits - 1 - SubBits;
    const std::uint64_t sub_bucket = (value >> shift) & (kSubBuckets - 1);
    return static_cast<std::size_t>((std::uint64_t{shift} + 1) * kSubBuckets + sub_bucket);
  }
  // The greatest value of a bucket.
  static constexpr std::uint64_t bucket_end(std::size_t index) noexcept {
    BL_ASSERT(index < kBuckets);
    if (index < kSubBuckets) return index;
    const auto shift = static_cast<unsigned>(index / kSubBuckets) - 1;
    const std::uint64_t base = kSubBuckets + index % kSubBuckets;
    // In the last bucket of 64 bits this wraps to 0, and 0 - 1 is the greatest value, as it should.
    return ((base + 1) << shift) - 1;
  }
};

template <unsigned SubBits, unsigned MaxBits>
class SharedHistogram;

template <unsigned SubBits, unsigned MaxBits>
class Histogram : public HistogramBuckets<SubBits, MaxBits> {
 public:
  using Buckets = HistogramBuckets<SubBits, MaxBits>;

  void record(std::uint64_t value) noexcept {
    ++counts_[Buckets::bucket_index(value)];
    ++count_;
    sum_ += value;
    max_ = std::max(max_, value);
  }
  void merge(const Histogram& other) noexcept {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    count_ += other.count_;
    sum_ += other.sum_;
    max_ = std::max(max_, other.max_);
  }
  void clear() noexcept { *this = {}; }

  std::uint64_t count() const noexcept { return count_; }
  std::uint64_t sum() const noexcept { return sum_; }
  std::uint64_t max() const noexcept { return max_; }
  std::uint64_t count_at(std::size_t index) const noexcept { return counts_[index]; }
  // The smallest value that at least `fraction` (0 to 1) of the recorded values do not exceed,
  // rounded up to its bucket's end but never above max(); 0 if nothing was recorded.
  std::uint64_t quantile(double fraction) const noexcept {
    if (count_ == 0) return 0;
    const double clamped = std::clamp(fraction, 0.0, 1.0);
    const auto wanted =
        static_cast<std::uint64_t>(std::ceil(clamped * static_cast<double>(count_)));
    const std::uint64_t rank = std::clamp<std::uint64_t>(wanted, 1, count_);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen >= rank) return std::min(Buckets::bucket_end(i), max_);
    }
    return max_;
  }

 private:
  friend class SharedHistogram<SubBits, MaxBits>;

  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t max_ = 0;
  std::array<std::uint64_t, Buckets::kBuckets> counts_{};
};

template <unsigned SubBits, unsigned MaxBits>
class SharedHistogram : public HistogramBuckets<SubBits, MaxBits> {
 public:
  using Buckets = HistogramBuckets<SubBits, MaxBits>;
  using Counts = Histogram<SubBits, MaxBits>;

  // The one recording thread.
  void record(std::uint64_t value) noexcept {
    counts_[Buckets::bucket_index(value)].add();
    sum_.add(value);
    const std::uint64_t max = max_.get();
    if (value > max) max_.add(value - max);
  }
  // Any thread: a copy that does not change any more.
  Counts counts() const noexcept {
    Counts all;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      all.counts_[i] = counts_[i].get();
      all.count_ += all.counts_[i];
    }
    all.sum_ = sum_.get();
    all.max_ = max_.get();
    return all;
  }

 private:
  std::array<SharedCounter, Buckets::kBuckets> counts_{};
  SharedCounter sum_;
  SharedCounter max_;
};

}  // namespace binlane
