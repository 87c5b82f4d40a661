// Verbs that show something: status, ping, replicas, metrics.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "control/cli/verb.h"

namespace binlane::cli {

std::span<const Verb> status_verbs();

// A status's source.replicas, as a table.
std::string replicas_table(const nlohmann::json& replicas);

}  // namespace binlane::cli
