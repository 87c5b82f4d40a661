// How often a source's control does things.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace binlane {

// How often the server is polled; every 100 ms at least. [S8]
inline constexpr std::uint64_t kPollNs = 50 * kNanosPerMilli;
static_assert(kPollNs <= 100 * kNanosPerMilli);
// How soon a server is tried again that cannot be reached, or is refused.
inline constexpr std::uint64_t kServerRetryNs = 500 * kNanosPerMilli;
// How often the state is put on record.
inline constexpr std::uint64_t kStoreNs = 1 * kNanosPerSecond;

}  // namespace binlane
