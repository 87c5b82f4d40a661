#include "base/wall_clock.h"

#include <fmt/format.h>
#include <time.h>

#include "base/clock.h"

namespace binlane {

std::string wall_clock_text() {
  return wall_clock_text_in(0);
}

std::string wall_clock_text_in(std::uint64_t milliseconds) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  constexpr std::uint64_t kMillisPerSecond = kNanosPerSecond / kNanosPerMilli;
  now.tv_sec += static_cast<time_t>(milliseconds / kMillisPerSecond);
  now.tv_nsec += static_cast<long>(milliseconds % kMillisPerSecond * kNanosPerMilli);
  if (now.tv_nsec >= static_cast<long>(kNanosPerSecond)) {
    now.tv_nsec -= static_cast<long>(kNanosPerSecond);
    ++now.tv_sec;
  }
  tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     now.tv_nsec / static_cast<long>(kNanosPerMilli));
}

}  // namespace binlane
