// Verbs of the group "fallback": see fallback_verbs.cpp.
#pragma once

#include <span>

#include "control/cli/verb.h"

namespace binlane::cli {

std::span<const Verb> fallback_verbs();

}  // namespace binlane::cli
