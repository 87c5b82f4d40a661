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

int run(int argc, char** argv) {
  CLI::App app(kSummary, "binlane");
  Context context;
  const Verb* chosen = nullptr;
  build_parser(app, context, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    // A verb's own arguments may be missing.
    if (chosen == nullptr && app.get_subcommands().empty()) return unknown_verb(app, error);
    app.exit(error);
    return kExitUsage;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  if (context.socket.empty()) context.socket = default_socket({});
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
