#include "control/admin/admin_worker.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace binlane {

void AdminWorker::start() {
  BL_ASSERT(!thread_.joinable());
  stopping_ = false;
  thread_ = std::thread([this] { run(); });
}

void AdminWorker::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    jobs_.clear();
  }
  added_.notify_all();
  thread_.join();
}

void AdminWorker::add(std::uint64_t client, std::string line, const AdminPeer& peer) {
  {
    const std::lock_guard lock(mutex_);
    BL_ASSERT(std::none_of(jobs_.begin(), jobs_.end(),
                           [client](const Job& job) { return job.client == client; }));
    const auto place = peer.is_operator
                           ? std::find_if(jobs_.begin(), jobs_.end(),
                                          [](const Job& job) { return !job.peer.is_operator; })
                           : jobs_.end();
    jobs_.insert(place, {client, std::move(line), peer});
  }
  added_.notify_all();
}

std::vector<AdminWorker::Done> AdminWorker::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(done_, {});
}

std::size_t AdminWorker::waiting() const {
  const std::lock_guard lock(mutex_);
  return jobs_.size();
}

void AdminWorker::run() {
  ::pthread_setname_np(::pthread_self(), "bl-admin-long");
  std::unique_lock lock(mutex_);
  for (;;) {
    added_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    const Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    AdminAnswer answer = requests_.answer(job.line, job.peer);
    lock.lock();
    done_.push_back({job.client, std::move(answer)});
    const std::uint64_t one = 1;
    // An eventfd that is full is set already.
    [[maybe_unused]] const ssize_t ignored = ::write(wake_, &one, sizeof one);
  }
}

}  // namespace binlane
