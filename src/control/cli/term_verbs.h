// Verbs about terms, for a host whose daemon is stopped: term.
#pragma once

#include <span>

#include "control/cli/verb.h"

namespace binlane::cli {

std::span<const Verb> term_verbs();

}  // namespace binlane::cli
