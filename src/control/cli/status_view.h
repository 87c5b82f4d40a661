// The answer of the verb "status", for people: the same JSON that --json prints, laid out as text.
// Members that are missing, or of another type than expected,
// are left out: the daemon may be older or newer than this program.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace binlane {

// Lines, each ended by a newline.
std::string status_text(const nlohmann::json& status);

// What a view of a source says where the host is a standby, whose replicas and quorum rule are not
// in use; empty on any other host.
std::string standby_text(const nlohmann::json& status);

// `text` with every line cut to `columns`, so that no terminal wraps it in the middle of a word; 0:
// unchanged.
std::string cut_lines(std::string_view text, std::size_t columns);

// "0 B", "1.4 KiB", "2.0 GiB".
std::string bytes_text(double bytes);
// "85 us", "1.2 ms", "12 s", "3 h 12 min".
std::string duration_text(double microseconds);

}  // namespace binlane
