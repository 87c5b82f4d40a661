// The configuration that verbs without a daemon read: the file that is installed on this host,
// unless the user names another one.
#pragma once

#include <string>

#include "control/cli/verb.h"

namespace binlane::cli {

// Where INSTALL puts the daemon's configuration.
inline constexpr const char* kDefaultConfig = "/etc/binlane/binlaned.toml";

// For a user who may have meant another daemon's file, because a socket was named or no file is
// installed: says so on standard error. `option` is how this verb takes a file.
void hint_at_other_config(const Context& context, const std::string& path, const char* option);

}  // namespace binlane::cli
