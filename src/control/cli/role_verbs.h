// Verbs of the group "role": see role_verbs.cpp.
#pragma once

#include <span>

#include "control/cli/verb.h"

namespace binlane::cli {

std::span<const Verb> role_verbs();

}  // namespace binlane::cli
