#include "control/cli/installed_config.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace binlane::cli {

void hint_at_other_config(const Context& context, const std::string& path, const char* option) {
  if (path != kDefaultConfig) return;
  if (!context.socket_named && ::access(kDefaultConfig, R_OK) == 0) return;
  fmt::print(stderr, "binlane: this verb reads {} and asks no daemon{}; for another file use {}\n",
             kDefaultConfig,
             context.socket_named ? ", whatever --socket or BINLANE_SOCKET says" : "", option);
}

}  // namespace binlane::cli
