// The support bundle: what a supporter will ask for, in one archive, without passwords.
#pragma once

#include <string>

#include "control/cli/verb.h"

namespace binlane::cli {

// Creates `folder`/binlane-support-<time>.tar.gz and prints its path.
int support_bundle(const Context& context, const std::string& folder);

}  // namespace binlane::cli
