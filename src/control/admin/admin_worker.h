// AdminWorker: answers the admin requests that take long (a verdict reads binlogs), on one thread
// of its own, so that an operator's `fence` does not wait for them. An operator's request comes
// before those of readers. A client has at most one request here, so the number of clients bounds
// the queue.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "control/admin/admin_requests.h"

namespace binlane {

class AdminWorker {
 public:
  struct Done {
    std::uint64_t client = 0;
    AdminAnswer answer;
  };

  // `wake`: an eventfd that is written to when there is an answer. Both must outlive the worker.
  AdminWorker(const AdminRequests& requests, int wake) : requests_(requests), wake_(wake) {}
  // Stops: ends the answer in progress, and drops the rest.
  ~AdminWorker() { stop(); }
  AdminWorker(const AdminWorker&) = delete;
  AdminWorker& operator=(const AdminWorker&) = delete;

  void start();
  void stop();
  void add(std::uint64_t client, std::string line, const AdminPeer& peer);
  // The answers since the last call, for clients that may have disconnected meanwhile.
  std::vector<Done> take();
  std::size_t waiting() const;

 private:
  struct Job {
    std::uint64_t client = 0;
    std::string line;
    AdminPeer peer;
  };
  void run();

  const AdminRequests& requests_;
  const int wake_;
  mutable std::mutex mutex_;
  std::condition_variable added_;
  std::deque<Job> jobs_;
  std::vector<Done> done_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace binlane
