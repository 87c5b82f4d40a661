// LogLimiter: lets at most one line of each event through in an interval, and counts the others.
//
// A peer that can send us frames must not be able to fill the disk with our log lines about them.
// The class reads no clock; the caller gives the time. The number of events is bounded as well:
// events that do not fit share one place, so that too few lines are written rather than too many.
// Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace binlane {

class LogLimiter {
 public:
  static constexpr std::size_t kMaxEvents = 64;
  static constexpr std::uint64_t kIntervalNs = kNanosPerSecond;

  struct Verdict {
    bool write = false;
    std::uint64_t suppressed = 0;  // lines of this event since the last one that was written
  };
  // `key`: the event, and its subject if the configuration bounds the number of subjects.
  Verdict admit(std::string_view key, std::uint64_t now_ns);

  struct Left {
    std::string key;
    std::uint64_t suppressed = 0;
  };
  // The suppressed lines of events whose interval is over. The caller reports them as "and N more"
  // even if no further line comes.
  std::vector<Left> take_left(std::uint64_t now_ns);
  bool has_left() const noexcept { return left_ > 0; }

 private:
  struct Event {
    std::string key;
    std::uint64_t written_ns = 0;
    std::uint64_t suppressed = 0;
  };
  Event& event_of(std::string_view key);

  std::array<Event, kMaxEvents> events_;
  std::size_t count_ = 0;
  std::uint64_t left_ = 0;  // suppressed lines of all events that were not reported yet
};

}  // namespace binlane
