// The answer of `status`: the state of a whole daemon as JSON. Any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "control/config/config.h"
#include "control/daemon/daemon.h"
#include "control/status/problem_finder.h"

namespace binlane {

// Copies of everything that a status is made of.
struct StatusSight {
  std::string name;
  std::string cluster;
  HostSight host;
  std::vector<Daemon::PortView> ports;
  std::uint64_t lane_turns = 0;
  std::string archive_folder;
  std::string journal_disk;
  // Free space on data_dir's file system, for us; nothing if it is unknown.
  std::optional<std::uint64_t> data_dir_free_bytes;
  std::uint64_t audit_bytes = 0;
};

// Keys keep their meaning once they are published; new ones may be added. Offsets and lags are
// bytes, times carry their unit in their name, positions are {"file", "offset"} or null. Pure
// except for the ages, which are relative to now.
nlohmann::json status_json(const StatusSight& sight);

nlohmann::json daemon_status(const Config& config, const Daemon& daemon);

}  // namespace binlane
