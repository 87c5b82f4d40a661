// The user that the installed daemon runs as, and what that user may open. A check that root runs
// by hand uses this, because root itself may read everything, and would find nothing wrong.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/access_path.h"
#include "control/config/config.h"

namespace binlane {

// The packaged unit's user.
inline constexpr const char* kServiceUser = "binlane";

struct ServiceIdentity {
  std::string user;
  UserIds ids;  // with the groups of the unit's SupplementaryGroups=
};

// From the unit binlaned.service as systemd has it, including drop-ins; without one, from the user
// binlane. Nothing if neither exists, if the unit runs as root, or if the caller is not root.
std::optional<ServiceIdentity> service_identity();

// From what `systemctl show` says of "User", "Group" and "SupplementaryGroups". Pure except for the
// user database.
std::optional<ServiceIdentity> identity_of(std::string_view shown);

// What the daemon could not read of the configuration file at `path` and the files that it names,
// one sentence each with what to do.
std::vector<std::string> unreadable_for(const ServiceIdentity& identity, const Config& config,
                                        const std::string& path);

}  // namespace binlane
