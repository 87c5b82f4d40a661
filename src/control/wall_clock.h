// The wall clock as text, for people who read logs, ledgers and status. Nothing is decided by it.
#pragma once

#include <string>

namespace binlane {

// "2024-05-01T12:34:56.789Z".
std::string wall_clock_text();

}  // namespace binlane
