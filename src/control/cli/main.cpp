// binlane: the program with which an operator controls a binlaned, over its admin socket. Its verbs
// are in control/cli/.

#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "binlane/admin.h"
#include "control/cli/default_socket.h"
#include "control/cli/exit_code.h"
#include "control/cli/verb.h"
#include "control/config/suggest.h"

namespace binlane::cli {
namespace {

// For an unknown verb the parser only says that a verb is missing.
int unknown_verb(const CLI::App& app, const CLI::RequiredError& error) {
  const std::vector<std::string> left = app.remaining();
  if (left.empty() || left.front().starts_with('-')) {
    app.exit(error);
    return kExitUsage;
  }
  std::vector<std::string_view> known;
  for (const Verb& verb : verbs()) known.emplace_back(verb.name);
  const std::string_view nearest = nearest_word(left.front(), known);
  if (nearest.empty())
    fmt::print(stderr, "binlane: unknown verb '{}'; known are {}\n", left.front(),
               fmt::join(known, ", "));
  else
    fmt::print(stderr, "binlane: unknown verb '{}'; did you mean '{}'?\n", left.front(), nearest);
  return kExitUsage;
}

// The parser only gives the name of what is missing.
int missing_argument(const CLI::App& app, const CLI::RequiredError& error) {
  for (const CLI::App* verb : app.get_subcommands()) {
    for (const CLI::Option* option : verb->get_options()) {
      if (!option->get_required() || option->count() > 0) continue;
      fmt::print(stderr, "binlane: {} needs {}: {}\n", verb->get_name(), option->get_name(),
                 option->get_description());
      return kExitUsage;
    }
  }
  app.exit(error);
  return kExitUsage;
}

int run(int argc, char** argv) {
  CLI::App app(kSummary, "binlane");
  Context context;
  const Verb* chosen = nullptr;
  build_parser(app, context, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    if (chosen == nullptr && app.get_subcommands().empty()) return unknown_verb(app, error);
    return missing_argument(app, error);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  context.socket_named = !context.socket.empty();
  if (!context.socket_named) context.socket = default_socket({});
  return chosen->run(context);
}

}  // namespace
}  // namespace binlane::cli

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  try {
    return binlane::cli::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "binlane: {}\n", error.what());
    return binlane::cli::kExitError;
  }
}
