// A source's part of the status, as JSON. Any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "control/config/config.h"
#include "control/source/source_view.h"

namespace binlane {

// `config` as it is in force. Pure except for the ages, which are relative to now.
nlohmann::json source_json(const SourceConfig& config, const SourceView& view);

}  // namespace binlane
