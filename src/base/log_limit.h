// LogLimiter: lets at most one line of each event through in an interval, and counts the others.
//
// Whoever can send us frames must not be able to fill the disk with what we say about them. No
// clock: the time goes in. The number of events is bounded as well: those that do not fit share one
// place, so that a line too few is written rather than one too many. Not thread-safe.
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
  // `key`: the event, and what it is about where that is bounded by the configuration.
  Verdict admit(std::string_view key, std::uint64_t now_ns);

  struct Left {
    std::string key;
    std::uint64_t suppressed = 0;
  };
  // Lines that were suppressed, of events whose interval is over: to be told as "and N more" even
  // if no further line comes.
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
  std::uint64_t left_ = 0;  // suppressed and not told yet, of all events
};

}  // namespace binlane
