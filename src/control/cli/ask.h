// One request of a verb to the daemon, with its errors shown and turned into an exit code.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "control/admin/json_view.h"
#include "control/cli/exit_code.h"
#include "control/cli/verb.h"

namespace binlane::cli {

using nlohmann::json;

// The daemon's result; or nothing, and `code` is what the program exits with.
std::optional<json> ask(const Context& context, const char* verb, int& code,
                        json arguments = json::object());

// Asks for the status until `done` says so, for at most `wait_s` seconds; `waiting` says what for.
// Returns kExitOk, kExitUnfinished, or what ask() returned.
int follow_status(const Context& context, std::uint32_t wait_s,
                  const std::function<bool(const json& status)>& done, const std::string& waiting);

void print_json(const json& value);

// The terminal's width, or 0 if the output is no terminal.
std::size_t terminal_columns();

// Rows with columns that are as wide as their widest cell.
std::string table_text(const std::vector<std::vector<std::string>>& rows);

}  // namespace binlane::cli
