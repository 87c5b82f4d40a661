// The server's semi-sync status under MySQL's names, in the form of its client's tables. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace binlane::cli {

// The words of MySQL from 8.0.26 on, those before it (and of MariaDB), or both.
enum class NameGeneration : std::uint8_t { both, source, master };
NameGeneration parse_name_generation(const std::string& text);

using NamedValues = std::vector<std::pair<std::string, std::string>>;

// Rpl_semi_sync_… of a daemon's status: the values are the server's own, as last polled.
NamedValues mysql_status_rows(const nlohmann::json& status, NameGeneration generation);
// rpl_semi_sync_…: the variables as a DBA knows them. The timeout is Binlane's; the server's own is
// only its backstop.
NamedValues mysql_variable_rows(const nlohmann::json& status, NameGeneration generation);

// +-----+-----+ with the heading Variable_name, Value.
std::string mysql_table(const NamedValues& rows);

}  // namespace binlane::cli
