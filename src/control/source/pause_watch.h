// PauseWatch: notices that this process, or its whole host, stood still: SIGSTOP, a frozen machine,
// suspend. A thread of its own that does nothing else, so that a slow disk or server is not taken
// for a pause. Time is the clock that goes on during suspend.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "control/write_guard.h"

namespace binlane {

class PauseWatch {
 public:
  PauseWatch() = default;
  ~PauseWatch() { stop(); }
  PauseWatch(const PauseWatch&) = delete;
  PauseWatch& operator=(const PauseWatch&) = delete;

  void start();
  void stop();
  // The longest pause since the last call; 0: none.
  std::uint64_t take() noexcept { return longest_ns_.exchange(0, std::memory_order_acq_rel); }

 private:
  void run();

  std::atomic<std::uint64_t> longest_ns_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace binlane
