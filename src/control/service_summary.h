// The one line that `systemctl status` shows for a running daemon.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace binlane {

// Of a full status: "SOURCE SEMISYNC, 2 of 2 replicas, epoch 1.4"; a problem is named.
std::string service_summary(const nlohmann::json& status);

}  // namespace binlane
