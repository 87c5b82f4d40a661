// Histogram: latencies in nanoseconds, in log-linear buckets of one fixed relative width.
//
// Every power of two is split into 2^kSubBucketBits buckets, so a reported value is never more than
// 1 / 2^kSubBucketBits (0.8 %) above the recorded one, over the whole range of 64 bits and without
// any configuration. Recording is one shift and one increment. Not thread-safe: each client owns
// one, and the reporter merges.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace binlane::bench {

class Histogram {
 public:
  static constexpr unsigned kSubBucketBits = 7;
  static constexpr std::uint64_t kSubBuckets = std::uint64_t{1} << kSubBucketBits;
  // Values below kSubBuckets have a bucket each; every further power of two has kSubBuckets.
  static constexpr std::size_t kBuckets = (64 - kSubBucketBits + 1) * kSubBuckets;

  Histogram();

  void record(std::uint64_t value) noexcept;
  void merge(const Histogram& other) noexcept;
  void clear() noexcept;

  std::uint64_t count() const noexcept { return count_; }
  std::uint64_t max() const noexcept { return max_; }
  // The smallest value that at least `fraction` (0 to 1) of the recorded values do not exceed,
  // rounded up to its bucket's end but never above max(). 0 if nothing was recorded.
  std::uint64_t quantile(double fraction) const noexcept;

  static std::size_t bucket_index(std::uint64_t value) noexcept;
  // The largest value that falls into the bucket.
  static std::uint64_t bucket_end(std::size_t index) noexcept;

 private:
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
  std::vector<std::uint64_t> counts_;
};

}  // namespace binlane::bench
