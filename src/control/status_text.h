// The answer of the verb "status", for people: the same JSON that --json prints, laid out as text,
// and the faults that it lists. Members that are missing, or of another type than expected,
// are left out: the daemon may be older or newer than this program.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace binlane {

// Lines, each ended by a newline.
std::string status_text(const nlohmann::json& status);

// What keeps the host from doing its job in full: the faults of the status's list of problems, each
// in one line; empty when there is none. The list is the daemon's own (problems.h), nothing is
// judged here. A status without one is a fault.
std::vector<std::string> status_faults(const nlohmann::json& status);

// "0 B", "1.4 KiB", "2.0 GiB".
std::string bytes_text(double bytes);
// "85 us", "1.2 ms", "12 s", "3 h 12 min".
std::string duration_text(double microseconds);

}  // namespace binlane
