// ControlMailbox: how other threads have work done on a control thread, between two of its turns,
// and get the answer. Bounded in number and in time.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/status.h"

namespace binlane {

class ControlMailbox {
 public:
  static constexpr std::size_t kMaxCalls = 8;
  // Runs on the control thread.
  using Work = std::function<Status()>;

  // Any thread: has `work` done, and waits for its answer, 4 s at most. Failed: what the work
  // answered, or why there is no answer. The work may still run after the caller has given up, so
  // it must share everything that it refers to.
  Status call(Work work);
  // Any thread: ends the control thread's pause.
  void wake();
  // Any thread: from now on every call fails and every wait ends.
  void close();
  bool closed() const;

  // Control thread: does the work that was asked for. After each piece it runs `after`, and only
  // then hands over the answer.
  void serve(const std::function<void()>& after);
  // Control thread: waits for this time, or until the mailbox is closed. Returns false if it is
  // closed.
  bool wait(std::uint64_t length_ns);

 private:
  struct ControlCall {
    Work work;
    Status answer;
    bool taken = false;
    bool done = false;
  };

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable answered_;
  std::vector<std::shared_ptr<ControlCall>> calls_;
  bool closed_ = false;
};

}  // namespace binlane
