// Options that several verbs have, each with one name, one bound and one line of help.
#pragma once

#include <cstdint>
#include <string>

#include "control/cli/verb_options.h"

namespace binlane::cli {

// --wait-s: for verbs that begin something and follow it.
void add_wait(VerbOptions& options, std::uint32_t& wait_s);

// For verbs without options of their own.
inline void no_options(VerbOptions& /*options*/) {}

// --names: which generation of MySQL's names is shown.
void add_names(VerbOptions& options, std::string& names);

}  // namespace binlane::cli
