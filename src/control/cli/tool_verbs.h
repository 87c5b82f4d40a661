// Verbs for people and their shells: top, doctor, support-bundle, completion, man.
#pragma once

#include <span>

#include "control/cli/verb.h"

namespace binlane::cli {

std::span<const Verb> tool_verbs();

}  // namespace binlane::cli
