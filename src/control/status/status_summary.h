// A status in one line, and the faults that it lists: systemd shows the line, and `binlane status
// --check` judges by the faults. Members that are missing, or of another type than expected, are
// left out: the daemon may be older or newer than this program.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace binlane {

// What keeps the host from doing its job in full: the faults of the status's list of problems, each
// in one line; empty if there is none. The list is the daemon's own (problems.h); nothing is judged
// here. A status without a list is a fault.
std::vector<std::string> status_faults(const nlohmann::json& status);

// One line: "SOURCE SEMISYNC, 2 of 2 replicas, epoch 1.4", and the first fault if there is one.
std::string status_summary(const nlohmann::json& status);

}  // namespace binlane
