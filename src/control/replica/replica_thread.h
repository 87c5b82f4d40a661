// ReplicaThread: the ordinary thread of a replica's control. It takes turns, and runs between two
// turns what other threads hand to it.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "base/heartbeat.h"

namespace binlane {

class ReplicaThread {
 public:
  ReplicaThread() = default;
  ~ReplicaThread() { stop(); }
  ReplicaThread(const ReplicaThread&) = delete;
  ReplicaThread& operator=(const ReplicaThread&) = delete;

  // Calls `turn` every few milliseconds until stop(). May be called once.
  void start(std::function<void()> turn);
  // May be called again.
  void stop();
  // Any other thread: runs `work` on this thread, between two turns, and waits until it is done.
  // Returns false if this thread ended before it ran `work`. One caller at a time.
  [[nodiscard]] bool call(const std::function<void()>& work);
  const Heartbeat& heartbeat() const noexcept { return heart_; }

 private:
  void run();

  std::function<void()> turn_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable called_;
  bool stopping_ = false;                        // guarded by mutex_
  bool ended_ = true;                            // guarded by mutex_
  const std::function<void()>* call_ = nullptr;  // guarded by mutex_
  Heartbeat heart_;
  std::thread thread_;
};

}  // namespace binlane
