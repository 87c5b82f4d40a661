#include "base/log_limit.h"

#include <utility>

namespace binlane {

LogLimiter::Event& LogLimiter::event_of(std::string_view key) {
  for (std::size_t i = 0; i < count_; ++i) {
    if (events_[i].key == key) return events_[i];
  }
  if (count_ == kMaxEvents) return events_[kMaxEvents - 1];
  Event& made = events_[count_++];
  made.key = key;
  return made;
}

LogLimiter::Verdict LogLimiter::admit(std::string_view key, std::uint64_t now_ns) {
  Event& event = event_of(key);
  if (event.written_ns != 0 && now_ns - event.written_ns < kIntervalNs) {
    ++event.suppressed;
    ++left_;
    return {};
  }
  event.written_ns = now_ns;
  left_ -= event.suppressed;
  return {true, std::exchange(event.suppressed, 0)};
}

std::vector<LogLimiter::Left> LogLimiter::take_left(std::uint64_t now_ns) {
  std::vector<Left> all;
  for (std::size_t i = 0; i < count_ && left_ > 0; ++i) {
    Event& event = events_[i];
    if (event.suppressed == 0 || now_ns - event.written_ns < kIntervalNs) continue;
    left_ -= event.suppressed;
    // The line about suppressed lines is a line as well, so the next interval begins here.
    event.written_ns = now_ns;
    all.push_back({event.key, std::exchange(event.suppressed, 0)});
  }
  return all;
}

}  // namespace binlane
