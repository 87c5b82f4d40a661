// A replica's part of the status, as JSON. Any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "control/daemon/daemon_status.h"

namespace binlane {

// Of a sight with a replica in it.
nlohmann::json replica_json(const StatusSight& sight);

}  // namespace binlane
