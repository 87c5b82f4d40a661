// Options that several verbs have, each with one name, one bound and one line of help.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

namespace binlane::cli {

// --wait-s: for verbs that begin something and follow it.
void add_wait(CLI::App& app, std::uint32_t& wait_s);

// --names: which generation of MySQL's names is shown.
void add_names(CLI::App& app, std::string& names);

}  // namespace binlane::cli
