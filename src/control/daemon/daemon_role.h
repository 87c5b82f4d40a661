// What a daemon answers to requests about which host is the source. Admin thread.
#pragma once

#include <nlohmann/json.hpp>

#include "control/admin_server.h"
#include "control/config.h"
#include "control/daemon.h"

namespace binlane {

// Begins the promotion of this host. The request's `replica` must be its name.
AdminReply ask_promotion(const Config& config, Daemon& daemon, const nlohmann::json& request);
// How far it has got.
nlohmann::json promotion_status(const Daemon& daemon);
// The same for a host that was the source.
AdminReply ask_rejoin(Daemon& daemon, const nlohmann::json& request);
nlohmann::json rejoin_status(const Daemon& daemon);
// Fences this host, or lifts that; the request's `host` must be its name.
AdminReply fence_host(const Config& config, Daemon& daemon, const nlohmann::json& request);
AdminReply unfence_host(const Config& config, Daemon& daemon, const nlohmann::json& request);

}  // namespace binlane
