// The only way two agents on different threads meet: a bounded single-producer single-consumer
// queue of plain values (Boost.Lockfree). try_push returns false when the queue is full; callers
// count that and try again.
#pragma once

#include <boost/lockfree/spsc_queue.hpp>
#include <cstddef>
#include <type_traits>

namespace binlane {

template <class T, std::size_t Capacity>
class SpscQueue {
  static_assert(std::is_trivially_copyable_v<T>, "queues carry values only");

 public:
  // Producer's thread only.
  bool try_push(const T& value) noexcept { return queue_.push(value); }
  // Consumer's thread only.
  bool try_pop(T& value) noexcept { return queue_.pop(value); }

 private:
  boost::lockfree::spsc_queue<T, boost::lockfree::capacity<Capacity>> queue_;
};

}  // namespace binlane
