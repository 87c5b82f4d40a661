// Lane: a thread that runs one or more duty cycles in turn, pinned if so configured.
//
// `shared` puts all cycles of a daemon on one lane, `dedicated` gives each its own. A lane owns
// what its cycles own; it allocates nothing once it runs, takes no lock and writes no log.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "dataplane/lane/idle_strategy.h"

namespace binlane {

// One duty cycle as a lane sees it.
struct LaneAgent {
  // Once, on the lane's thread, before the first turn: enables what belongs to the thread
  // (io_uring).
  std::function<void()> attach;
  // One turn; returns the work done.
  std::function<std::size_t()> do_work;
  // How many commits or frames the last turn brought at once.
  std::function<std::size_t()> batch;
  // Sleeps until the disk has completed what the cycle waits for, but no longer than this. Returns
  // false at once if the cycle waits for nothing. May be empty.
  std::function<bool(std::uint64_t)> wait;
};

class Lane {
 public:
  struct Options {
    std::string name;  // of the thread, at most 15 characters
    IdleMode idle = IdleMode::automatic;
    std::uint64_t nap_us = 50;
    std::int64_t cpu = -1;  // -1: not pinned
  };
  Lane(Options options, std::vector<LaneAgent> agents);
  // Stops.
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // Returns once the agents are attached; throws what an agent's attach() threw.
  void start();
  // Ends the thread after its current turn and waits for it. Idempotent.
  void stop();
  // Grows with every turn, so a lane that has stopped turning is noticed here.
  std::uint64_t turns() const noexcept { return turns_.load(std::memory_order_relaxed); }

 private:
  void run(std::promise<void>& attached);
  void nap(std::uint64_t length_ns) const;

  Options options_;
  std::vector<LaneAgent> agents_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> turns_{0};
  std::thread thread_;
};

}  // namespace binlane
