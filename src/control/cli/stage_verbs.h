// Verbs about where a commit's time goes: hist, trace.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "control/cli/verb.h"

namespace binlane::cli {

std::span<const Verb> stage_verbs();

// The "stages" of an answer (control/status/stage_report.h), as a table.
std::string stage_table(const nlohmann::json& stages);
// The answer of the verb "trace", as a table.
std::string trace_table(const nlohmann::json& trace);

}  // namespace binlane::cli
