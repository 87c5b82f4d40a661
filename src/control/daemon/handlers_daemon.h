// A daemon's answers on its admin socket: every verb of include/binlane/admin.h. Admin thread.
#pragma once

#include "control/admin/admin_server.h"
#include "control/daemon/daemon.h"
#include "control/daemon/settings.h"

namespace binlane {

// Before the server starts. `daemon` and `settings` must outlive it.
void register_verbs(AdminServer& server, Daemon& daemon, Settings& settings);

// The status with what the metrics need in addition. Any thread.
nlohmann::json metrics_status(const Daemon& daemon, const Settings& settings);

}  // namespace binlane
