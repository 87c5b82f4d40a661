// Watchdog: who of the daemon's threads hangs, from what they show at each look.
//
// A lane hangs when it has not turned since the look before: its turns take microseconds. An
// ordinary thread may wait for a disk or a server, so it hangs when its heart has been silent for
// kThreadLimitNs, at two looks in a row: after a pause of the whole process the first look may come
// before the threads' first beat. No clock and no I/O.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"

namespace binlane {

// One thread as it shows itself at a moment.
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
  // Status says so from here on (problem thread_stuck): before the daemon is ended for it.
  static constexpr std::uint64_t kThreadShownNs = 10 * kNanosPerSecond;
  static_assert(kThreadShownNs < kThreadLimitNs);

  // Those that hang, in words.
  struct Hanging {
    std::vector<std::string> lanes;
    std::vector<std::string> threads;
  };
  // The first look only remembers.
  Hanging look(const WatchedThreads& now);

 private:
  std::vector<std::uint64_t> turns_;  // at the look before
  std::vector<std::string> silent_;   // threads that were silent for too long at the look before
};

}  // namespace binlane
