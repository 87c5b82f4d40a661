// Finds what a verdict needs in this host's files and marks. Reads up to one binlog file: admin
// thread.
#pragma once

#include <nlohmann/json.hpp>

#include "control/admin/admin_server.h"
#include "control/config/config.h"
#include "control/daemon/daemon.h"

namespace binlane {

// {"what": "0-1-42"}, {"what": "UUID:42"} or {"what": "binlog.000003:1234", "term": 2}.
AdminReply give_verdict(const Config& config, Daemon& daemon, const nlohmann::json& request);

}  // namespace binlane
