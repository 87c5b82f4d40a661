// A daemon's answers to requests about which host is the source. Admin thread.
#pragma once

#include <nlohmann/json.hpp>

#include "control/admin/admin_server.h"
#include "control/config/config.h"
#include "control/daemon/daemon.h"

namespace binlane {

// Begins the promotion of this host. The request's `replica` must be its name.
AdminReply request_promotion(const Config& config, Daemon& daemon, const nlohmann::json& request);
// How far the promotion has come.
nlohmann::json promotion_status(const Daemon& daemon);
// The same for a host that was the source.
AdminReply request_rejoin(Daemon& daemon, const nlohmann::json& request);
nlohmann::json rejoin_status(const Daemon& daemon);
// Fences this host, or lifts the fence; the request's `host` must be its name.
AdminReply fence_host(const Config& config, Daemon& daemon, const nlohmann::json& request);
AdminReply unfence_host(const Config& config, Daemon& daemon, const nlohmann::json& request);

}  // namespace binlane
