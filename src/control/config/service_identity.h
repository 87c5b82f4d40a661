// As whom the installed daemon runs, and what it may open. A check that root runs by hand looks
// with these eyes: root itself may read everything, and would find nothing amiss.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/access_path.h"
#include "control/config.h"

namespace binlane {

// The packaged unit's user.
inline constexpr const char* kServiceUser = "binlane";

struct ServiceIdentity {
  std::string user;
  UserIds ids;  // with the groups of the unit's SupplementaryGroups=
};

// By the unit binlaned.service as systemd has it, drop-ins included; without one, by the user
// binlane. Nothing where neither is there, where the unit runs as root, or where whoever asks is
// not root.
std::optional<ServiceIdentity> service_identity();

// What of "User", "Group" and "SupplementaryGroups" `systemctl show` says. Pure but for the user
// database.
std::optional<ServiceIdentity> identity_of(std::string_view shown);

// What the daemon could not read of the configuration file at `path` and the files it names, one
// sentence each with what to do.
std::vector<std::string> unreadable_for(const ServiceIdentity& identity, const Config& config,
                                        const std::string& path);

}  // namespace binlane
