// What the parts of SourceControl share about its settings.
#pragma once

#include <string>

#include "control/config.h"
#include "control/fallback.h"

namespace binlane {

FallbackOptions fallback_options(const SourceConfig& source);

// The file that says that the server is read-only because of mode `fail`.
std::string read_only_mark_path(const Config& config);

}  // namespace binlane
