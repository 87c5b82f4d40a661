// Watchdog: which of the daemon's threads hang, from what they show at each look.
//
// A lane hangs if it has not turned since the previous look, because its turns take microseconds.
// An ordinary thread may wait for a disk or a server. So it hangs if its heart has been silent for
// kThreadLimitNs, at two looks in a row: after a pause of the whole process the first look may come
// before the threads' first beat. No clock and no I/O.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"

namespace binlane {

// What one thread shows at a moment.
struct ThreadSilence {
  std::string name;
  std::uint64_t silent_ns = 0;
};

struct WatchedThreads {
  std::vector<std::uint64_t> lane_turns;
  std::vector<ThreadSilence> threads;
};

class Watchdog {
 public:
  static constexpr std::uint64_t kThreadLimitNs = 30 * kNanosPerSecond;
  // Status reports it after this time (problem thread_stuck), before the daemon is ended because of
  // it.
  static constexpr std::uint64_t kThreadShownNs = 10 * kNanosPerSecond;
  static_assert(kThreadShownNs < kThreadLimitNs);

  // Returns those that hang, in words.
  struct Hanging {
    std::vector<std::string> lanes;
    std::vector<std::string> threads;
  };
  // The first look only remembers.
  Hanging look(const WatchedThreads& now);

 private:
  std::vector<std::uint64_t> turns_;  // at the previous look
  std::vector<std::string> silent_;   // threads that were silent for too long at the previous look
};

}  // namespace binlane
