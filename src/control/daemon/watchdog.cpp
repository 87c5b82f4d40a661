#include "control/daemon/watchdog.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/mutant.h"

namespace binlane {

Watchdog::Hanging Watchdog::look(const WatchedThreads& now) {
  Hanging hanging;
  for (std::size_t i = 0; i < std::min(turns_.size(), now.lane_turns.size()); ++i) {
    if (now.lane_turns[i] <= turns_[i]) hanging.lanes.push_back(fmt::format("lane {}", i));
  }
  std::vector<std::string> silent;
  for (const ThreadSilence& thread : now.threads) {
    if (BL_MUTANT(silent_thread_fed, true, thread.silent_ns < kThreadLimitNs)) continue;
    silent.push_back(thread.name);
    if (std::find(silent_.begin(), silent_.end(), thread.name) != silent_.end())
      hanging.threads.push_back(
          fmt::format("{} for {} s", thread.name, thread.silent_ns / kNanosPerSecond));
  }
  turns_ = now.lane_turns;
  silent_ = std::move(silent);
  return hanging;
}

}  // namespace binlane
