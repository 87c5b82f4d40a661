// What the fallback takes from the configuration.
#pragma once

#include <string>

#include "control/config/config.h"
#include "control/fallback/fallback.h"

namespace binlane {

FallbackOptions fallback_options(const SourceConfig& source);

// Adds the counters of two incarnations.
FallbackCounters sum(const FallbackCounters& a, const FallbackCounters& b);

}  // namespace binlane
