// Verbs of the group "setting": see setting_verbs.cpp.
#pragma once

#include <span>

#include "control/cli/verb.h"

namespace binlane::cli {

std::span<const Verb> setting_verbs();

}  // namespace binlane::cli
