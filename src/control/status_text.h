// The answer of the verb "status", for people: the same JSON that --json prints, laid out as text,
// and the question whether all is well. Members that are missing, or of another type than expected,
// are left out: the daemon may be older or newer than this program.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace binlane {

// Lines, each ended by a newline.
std::string status_text(const nlohmann::json& status);

// Empty when the host does its job in full: a source is SEMISYNC, a replica is connected and its
// journal, archive and ledger work. Otherwise what is amiss, in one line.
std::string status_problem(const nlohmann::json& status);

// "0 B", "1.4 KiB", "2.0 GiB".
std::string bytes_text(double bytes);
// "85 us", "1.2 ms", "12 s", "3 h 12 min".
std::string duration_text(double microseconds);

}  // namespace binlane
