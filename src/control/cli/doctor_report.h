// binlane doctor: runs the checks of control/doctor and shows what they found.
#pragma once

#include <string>

#include "control/cli/verb.h"

namespace binlane::cli {

// kExitOk, kExitWarnings or kExitFaults, by the worst finding; kExitError if the configuration
// cannot be read.
int doctor(const Context& context, const std::string& config_path);

}  // namespace binlane::cli
