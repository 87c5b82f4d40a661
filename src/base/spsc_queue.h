// SpscQueue: the only way two agents on different threads meet, a bounded single-producer
// single-consumer queue of plain values (Boost.Lockfree). try_push returns false when the queue is
// full, and the queue counts that; the caller tries again later or does without.
#pragma once

#include <boost/lockfree/spsc_queue.hpp>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/shared_counter.h"

namespace binlane {

template <class T, std::size_t Capacity>
class SpscQueue {
  static_assert(std::is_trivially_copyable_v<T>, "queues carry values only");

 public:
  // Producer's thread only.
  bool try_push(const T& value) noexcept {
    if (queue_.push(value)) return true;
    times_full_.add();
    return false;
  }
  // Consumer's thread only.
  bool try_pop(T& value) noexcept { return queue_.pop(value); }
  // How many values the producer could not put in. Any thread.
  std::uint64_t times_full() const noexcept { return times_full_.get(); }

 private:
  boost::lockfree::spsc_queue<T, boost::lockfree::capacity<Capacity>> queue_;
  SharedCounter times_full_;
};

}  // namespace binlane
