#include "control/cli/shared_options.h"

namespace binlane::cli {

void add_wait(VerbOptions& options, std::uint32_t& wait_s) {
  options.number("--wait-s", wait_s, "how long to follow it").between(0, 86'400).shows_default();
}

void add_names(VerbOptions& options, std::string& names) {
  options.text("--names", names, "with --mysql: which generation of names")
      .one_of({"both", "source", "master"})
      .shows_default();
}

}  // namespace binlane::cli
