// Metrics: the daemon's state as Prometheus metrics, under Binlane's names and, for existing
// dashboards, under the names that mysqld_exporter gives the server's semi-sync status.
//
// Everything is computed from the status when it is asked for; nothing is counted twice.
#pragma once

#include <prometheus/metric_family.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace binlane {

// `status` as daemon_status() gives it. Pure.
std::vector<prometheus::MetricFamily> metrics_of(const nlohmann::json& status);

// In the text form of the endpoint.
std::string metrics_text(const nlohmann::json& status);

}  // namespace binlane
