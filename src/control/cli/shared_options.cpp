#include "control/cli/shared_options.h"

namespace binlane::cli {

void add_wait(CLI::App& app, std::uint32_t& wait_s) {
  app.add_option("--wait-s", wait_s, "how long to follow it")
      ->check(CLI::Range(0, 86'400))
      ->capture_default_str();
}

void add_names(CLI::App& app, std::string& names) {
  app.add_option("--names", names, "with --mysql: which generation of names")
      ->check(CLI::IsMember({"both", "source", "master"}))
      ->capture_default_str();
}

}  // namespace binlane::cli
