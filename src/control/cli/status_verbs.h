// Verbs that look: status, ping, replicas, metrics.
#pragma once

#include <span>

#include "control/cli/verb.h"

namespace binlane::cli {

std::span<const Verb> status_verbs();

}  // namespace binlane::cli
