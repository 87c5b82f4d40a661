// Shell completion and man page, made from the parser itself, so that they cannot drift from it.
// Pure.
#pragma once

#include <string>

#include "control/cli/verb.h"

namespace binlane::cli {

// "bash" or "zsh".
std::string completion_script(const CLI::App& app, const std::string& shell);

// roff for man(1).
std::string man_page(const CLI::App& app, const std::string& version);

}  // namespace binlane::cli
