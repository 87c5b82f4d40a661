// PeerProcess: the second process of a benchmark, which plays the far end of one measurement after
// another.
//
// The near end sends a plan and waits until the far end is ready for it; the far end then does its
// part until the near end says that the measurement is over, which it sees in a page of shared
// memory. Forked before this process has threads or a DPDK; the far end dies with its parent.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>

#include "dataplane/port/port.h"

namespace binlane::bench {

enum class PeerRole : std::uint8_t { binlane, raw, udp, tcp, sink };

struct PeerPlan {
  PeerRole role = PeerRole::binlane;
  std::uint32_t number = 0;  // set by PeerProcess
  std::uint32_t bytes = 0;   // of one message
  bool blocking = false;
  std::uint64_t session_id = 0;
  Endpoint source;
};

// What the far end shows while it runs.
struct PeerPage {
  std::atomic<std::uint32_t> finished{0};  // plans up to this number are over
  std::atomic<std::uint64_t> lost{0};      // datagrams that the far port's faults took
  std::atomic<std::uint64_t> bytes{0};     // what arrived
};

class PeerProcess {
 public:
  // The far end's view of it.
  class FarEnd {
   public:
    FarEnd(int channel, PeerPage& page) noexcept : channel_(channel), page_(page) {}
    // False when the near end is gone.
    bool next(PeerPlan& plan);
    // The near end may begin; `at` is where this end is to be reached.
    void ready(const Endpoint& at);
    bool over(const PeerPlan& plan) const noexcept {
      return page_.finished.load(std::memory_order_relaxed) >= plan.number;
    }
    PeerPage& page() noexcept { return page_; }

   private:
    int channel_;
    PeerPage& page_;
  };

  // `far_end` runs in the new process and never returns to the caller's code. Throws StartupError.
  explicit PeerProcess(const std::function<void(FarEnd&)>& far_end);
  ~PeerProcess();
  PeerProcess(const PeerProcess&) = delete;
  PeerProcess& operator=(const PeerProcess&) = delete;

  // Begins a measurement; returns where the far end is. Throws StartupError when it does not come
  // about: the far end says why on standard error.
  Endpoint begin(PeerPlan plan);
  // Ends it.
  void end() noexcept { page_->finished.store(number_, std::memory_order_relaxed); }
  const PeerPage& page() const noexcept { return *page_; }

 private:
  PeerPage* page_ = nullptr;
  int channel_ = -1;
  pid_t pid_ = -1;
  std::uint32_t number_ = 0;
};

}  // namespace binlane::bench
