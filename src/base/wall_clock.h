// The wall clock as text, for people who read logs, ledgers and status. Nothing is decided by it.
#pragma once

#include <cstdint>
#include <string>

namespace binlane {

// "2024-05-01T12:34:56.789Z".
std::string wall_clock_text();
// The same for the moment that is so many milliseconds away.
std::string wall_clock_text_in(std::uint64_t milliseconds);

}  // namespace binlane
