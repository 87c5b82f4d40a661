// Verbs of the group "fallback": see fallback_verbs.cpp.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "control/cli/verb.h"

namespace binlane::cli {

std::span<const Verb> fallback_verbs();

// The answer of the verb "ledger", as a table.
std::string ledger_table(const nlohmann::json& ledger);

}  // namespace binlane::cli
