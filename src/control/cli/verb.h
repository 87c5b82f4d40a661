// Verb: one word of the command line. All verbs are in one table (verb_table.cpp), from which the
// parser, the help, the shells' completion and the man page are made.
//
// A verb's file keeps its own options; the program runs one verb and ends.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "control/cli/verb_options.h"

namespace binlane::cli {

// What is the same for all verbs.
struct Context {
  std::string socket;
  bool socket_named = false;  // by the user, not by the installed configuration
  std::uint32_t timeout_ms = 5'000;
  bool as_json = false;
};

struct Verb {
  const char* name;
  const char* summary;
  const char* examples;  // one a line; may be empty
  // Adds the verb's own options.
  void (*options)(VerbOptions& options);
  // Runs the verb; returns the exit code.
  int (*run)(const Context& context);
};

std::span<const Verb> verbs();

inline constexpr const char* kSummary = "Talks to a binlaned, with one verb in each call.";

// Builds the parser of the whole program. `chosen` becomes the verb that was given.
void build_parser(CLI::App& app, Context& context, const Verb*& chosen);

}  // namespace binlane::cli
