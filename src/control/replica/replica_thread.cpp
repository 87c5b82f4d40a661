#include "control/replica/replica_thread.h"

#include <chrono>
#include <utility>

#include "base/assert.h"

namespace binlane {
namespace {

constexpr std::chrono::milliseconds kTurn{5};

}  // namespace

void ReplicaThread::start(std::function<void()> turn) {
  BL_ASSERT(turn && !thread_.joinable());
  turn_ = std::move(turn);
  {
    const std::lock_guard lock(mutex_);
    ended_ = false;
  }
  thread_ = std::thread([this] { run(); });
}

void ReplicaThread::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void ReplicaThread::run() {
  const HeartbeatScope alive(heart_);
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto* const call = call_;
    lock.unlock();
    still_alive();
    if (call != nullptr) (*call)();
    turn_();
    lock.lock();
    if (call != nullptr) {
      BL_ASSERT(call_ == call);
      call_ = nullptr;
      called_.notify_all();
    }
    wake_.wait_for(lock, kTurn, [this] { return stopping_ || call_ != nullptr; });
  }
  ended_ = true;
  called_.notify_all();
}

bool ReplicaThread::call(const std::function<void()>& work) {
  std::unique_lock lock(mutex_);
  BL_ASSERT(call_ == nullptr);
  if (ended_) return false;
  call_ = &work;
  wake_.notify_all();
  called_.wait(lock, [this] { return call_ == nullptr || ended_; });
  return std::exchange(call_, nullptr) == nullptr;
}

}  // namespace binlane
