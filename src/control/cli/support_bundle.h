// The support bundle: what a person who helps will ask for, in one archive, without passwords.
#pragma once

#include <string>

#include "control/cli/verb.h"

namespace binlane::cli {

// Makes `folder`/binlane-support-<time>.tar.gz and prints its path.
int support_bundle(const Context& context, const std::string& folder);

}  // namespace binlane::cli
