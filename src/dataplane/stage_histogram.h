// StageHistogram: how long something took, as counts in buckets that grow with the value: eight to
// each power of two, so a value is known to an eighth. One thread records, any may read; no locks.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace binlane {

class StageHistogram {
 public:
  static constexpr unsigned kSubBits = 3;
  static constexpr std::size_t kSubBuckets = std::size_t{1} << kSubBits;
  // Values from here on (about 18 minutes) share the last bucket.
  static constexpr unsigned kMaxBits = 40;
  static constexpr std::size_t kBuckets = (kMaxBits - kSubBits + 1) * kSubBuckets;

  // A copy that stands still.
  struct Counts {
    std::array<std::uint64_t, kBuckets> buckets{};
    std::uint64_t count = 0;
    std::uint64_t sum_ns = 0;
    std::uint64_t max_ns = 0;

    // The value below or at which this part (0 to 1) of all lies, to a bucket's width; 0: no
    // values.
    std::uint64_t quantile_ns(double part) const noexcept {
      const auto rank = static_cast<std::uint64_t>(part * static_cast<double>(count) + 0.5);
      std::uint64_t seen = 0;
      for (std::size_t i = 0; i < kBuckets; ++i) {
        seen += buckets[i];
        if (seen > 0 && seen >= rank) return upper_ns(i) < max_ns ? upper_ns(i) : max_ns;
      }
      return max_ns;
    }
  };

  // Recording thread only.
  void record(std::uint64_t ns) noexcept {
    add(buckets_[index_of(ns)], 1);
    add(sum_ns_, ns);
    if (ns > max_ns_.load(std::memory_order_relaxed)) max_ns_.store(ns, std::memory_order_relaxed);
  }

  // Any thread.
  Counts counts() const noexcept {
    Counts all;
    for (std::size_t i = 0; i < kBuckets; ++i) {
      all.buckets[i] = buckets_[i].load(std::memory_order_relaxed);
      all.count += all.buckets[i];
    }
    all.sum_ns = sum_ns_.load(std::memory_order_relaxed);
    all.max_ns = max_ns_.load(std::memory_order_relaxed);
    return all;
  }

  static constexpr std::size_t index_of(std::uint64_t ns) noexcept {
    if (ns < kSubBuckets) return static_cast<std::size_t>(ns);
    const auto bits = static_cast<unsigned>(std::bit_width(ns));
    if (bits > kMaxBits) return kBuckets - 1;
    const unsigned shift = bits - 1 - kSubBits;
    return (std::size_t{shift} + 1) * kSubBuckets +
           static_cast<std::size_t>((ns >> shift) & (kSubBuckets - 1));
  }
  // The greatest value of a bucket.
  static constexpr std::uint64_t upper_ns(std::size_t index) noexcept {
    if (index < kSubBuckets) return index;
    const unsigned shift = static_cast<unsigned>(index / kSubBuckets) - 1;
    const std::uint64_t base = kSubBuckets + index % kSubBuckets;
    return ((base + 1) << shift) - 1;
  }

 private:
  // A plain add: nobody else writes.
  static void add(std::atomic<std::uint64_t>& counter, std::uint64_t by) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }

  std::array<std::atomic<std::uint64_t>, kBuckets> buckets_{};
  std::atomic<std::uint64_t> sum_ns_{0};
  std::atomic<std::uint64_t> max_ns_{0};
};

static_assert(StageHistogram::index_of(0) == 0);
static_assert(StageHistogram::index_of(StageHistogram::kSubBuckets) == StageHistogram::kSubBuckets);
static_assert(StageHistogram::index_of((std::uint64_t{1} << StageHistogram::kMaxBits) - 1) ==
              StageHistogram::kBuckets - 1);

}  // namespace binlane
