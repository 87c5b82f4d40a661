// PauseWatch: notices that this process, or its whole host, was suspended: by SIGSTOP, as a frozen
// virtual machine, or by suspend. Its thread does nothing else, so a slow disk or server does not
// look like a pause. Its clock counts on while the machine is suspended. [S21]
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "control/source/write_guard.h"

namespace binlane {

class PauseWatch {
 public:
  PauseWatch() = default;
  ~PauseWatch() { stop(); }
  PauseWatch(const PauseWatch&) = delete;
  PauseWatch& operator=(const PauseWatch&) = delete;

  void start();
  void stop();
  // The length of the longest pause since the last call; 0 if there was none.
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
