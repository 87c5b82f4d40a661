// What `status` answers: the state of a whole daemon as JSON. Any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "control/config.h"
#include "control/daemon.h"

namespace binlane {

// Keys keep their meaning once they are published; new ones may be added. Offsets and lags are
// bytes, times carry their unit in their name, positions are {"file", "offset"} or null.
nlohmann::json daemon_status(const Config& config, const Daemon& daemon);

}  // namespace binlane
