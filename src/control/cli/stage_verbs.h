// Verbs about where a commit's time goes: hist, trace.
#pragma once

#include <span>

#include "control/cli/verb.h"

namespace binlane::cli {

std::span<const Verb> stage_verbs();

}  // namespace binlane::cli
