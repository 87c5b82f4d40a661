// One request to a binlaned's admin socket, as the program `binlane` makes it: connect, send a
// line, read a line, all within one time limit. No thread, no state.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>

#include "control/admin/admin_server.h"

namespace binlane {

// The daemon could not be asked: no process listens, or no valid answer came.
struct AdminUnreachable {
  std::string message;
};

// The result, the daemon's error, or why it could not be asked.
using AdminOutcome = std::variant<nlohmann::json, AdminError, AdminUnreachable>;

AdminOutcome admin_request(const std::string& path, const nlohmann::json& request,
                           std::uint32_t timeout_ms);

}  // namespace binlane
