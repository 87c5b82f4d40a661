// sleep_for_ns(): an ordinary sleep. A signal ends it early; callers check their condition again
// anyway.
#pragma once

#include <time.h>

#include <cstdint>

#include "base/clock.h"

namespace binlane {

inline void sleep_for_ns(std::uint64_t length_ns) noexcept {
  const timespec length{static_cast<time_t>(length_ns / kNanosPerSecond),
                        static_cast<long>(length_ns % kNanosPerSecond)};
  ::nanosleep(&length, nullptr);
}

}  // namespace binlane
