// The daemon that `binlane` asks if the user names none: the one that is installed on this host.
#pragma once

#include <string>

#include "control/cli/installed_config.h"

namespace binlane::cli {

struct SocketPlaces {
  const char* config = kDefaultConfig;
  const char* runtime = "/run/binlane/admin.sock";
  const char* data = "/var/lib/binlane/admin.sock";
};

// The configuration's admin_socket, if the file exists and may be read; otherwise the first of the
// usual places at which a file exists; otherwise the first of them, at which no daemon will answer.
std::string default_socket(const SocketPlaces& places);

}  // namespace binlane::cli
