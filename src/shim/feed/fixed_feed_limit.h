// FixedFeedLimit: a FeedLimit that is moved by hand, for tests and for tools that serve a finished
// archive. Any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "base/assert.h"
#include "base/clock.h"
#include "shim/feed/feed_limit.h"

namespace binlane {

class FixedFeedLimit : public FeedLimit {
 public:
  Position whole_groups() const override {
    const std::lock_guard lock(mutex_);
    return limit_;
  }

  bool wait_beyond(Position position, std::uint64_t deadline_ns) override {
    std::unique_lock lock(mutex_);
    for (;;) {
      if (limit_ > position) return true;
      const std::uint64_t now = monotonic_ns();
      if (now >= deadline_ns) return false;
      grown_.wait_for(lock, std::chrono::nanoseconds(deadline_ns - now));
    }
  }

  void set(Position limit) {
    {
      const std::lock_guard lock(mutex_);
      BL_ASSERT(limit >= limit_);
      limit_ = limit;
    }
    grown_.notify_all();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable grown_;
  Position limit_;
};

}  // namespace binlane
