// Shell completion and man page, made from the parser itself, so that they cannot differ from it.
// Pure.
#pragma once

#include <string>

namespace binlane::cli {

// "bash" or "zsh".
std::string completion_script(const std::string& shell);

// roff for man(1).
std::string man_page(const std::string& version);

}  // namespace binlane::cli
