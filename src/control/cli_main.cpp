// binlane: the program an operator talks to a binlaned with, over its admin socket.
//
// Every verb is a row of the table below: what it asks the daemon, and how its answer is shown.

#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "binlane/admin.h"
#include "control/admin_client.h"
#include "control/status_text.h"
#include "control/suggest.h"

namespace binlane {
namespace {

using nlohmann::json;

// Exit codes; they are part of the interface (see kFooter).
constexpr int kExitOk = 0;
constexpr int kExitError = 1;
constexpr int kExitUsage = 2;
constexpr int kExitUnreachable = 3;
constexpr int kExitNotProtected = 4;

constexpr const char* kFooter =
    "Exit codes:\n"
    "  0  done\n"
    "  1  the daemon answered with an error\n"
    "  2  wrong usage\n"
    "  3  the daemon cannot be reached\n"
    "  4  status --check: something is amiss (a source that is not SEMISYNC, a replica that is "
    "not\n"
    "     connected, a journal, archive or ledger that has failed)\n"
    "\n"
    "Examples:\n"
    "  binlane --socket /var/lib/binlane/admin.sock status\n"
    "  BINLANE_SOCKET=/var/lib/binlane/admin.sock binlane status --json\n"
    "  binlane status --check || echo 'commits are not protected'\n";

struct Options {
  std::string socket;
  std::uint32_t timeout_ms = 5'000;
  bool as_json = false;
  bool check = false;
};

struct Verb {
  const char* name;
  const char* summary;
  // Adds the verb's own options.
  void (*options)(CLI::App& app, Options& options);
  // Shows the daemon's result; the exit code.
  int (*show)(const json& result, const Options& options);
};

void print_json(const json& value) {
  fmt::print("{}\n", value.dump(2, ' ', false, json::error_handler_t::replace));
}

int show_status(const json& result, const Options& options) {
  if (options.as_json)
    print_json(result);
  else
    fmt::print("{}", status_text(result));
  if (!options.check) return kExitOk;
  const std::string problem = status_problem(result);
  if (problem.empty()) return kExitOk;
  fmt::print(stderr, "binlane: {}\n", problem);
  return kExitNotProtected;
}

int show_ping(const json& result, const Options& options) {
  if (options.as_json)
    print_json(result);
  else
    fmt::print("binlaned answers\n");
  return kExitOk;
}

constexpr Verb kVerbs[] = {
    {admin::kVerbStatus, "show role, state, marks and replicas",
     [](CLI::App& app, Options& options) {
       app.add_flag("--check", options.check, "exit with 4 when something is amiss");
     },
     show_status},
    {admin::kVerbPing, "ask whether the daemon answers", [](CLI::App&, Options&) {}, show_ping},
};

int ask(const Verb& verb, const Options& options) {
  const AdminOutcome outcome =
      admin_request(options.socket, {{admin::kVerb, verb.name}}, options.timeout_ms);
  if (const auto* unreachable = std::get_if<AdminUnreachable>(&outcome)) {
    fmt::print(stderr, "binlane: {}\n", unreachable->message);
    return kExitUnreachable;
  }
  if (const auto* error = std::get_if<AdminError>(&outcome)) {
    fmt::print(stderr, "binlane: {}{}{}\n", error->field, error->field.empty() ? "" : ": ",
               error->message);
    return kExitError;
  }
  return verb.show(std::get<json>(outcome), options);
}

// The parser says only that a verb is missing when the one given is unknown.
int unknown_verb(const CLI::App& app, const CLI::RequiredError& error) {
  const std::vector<std::string> left = app.remaining();
  if (left.empty() || left.front().starts_with('-')) {
    app.exit(error);
    return kExitUsage;
  }
  std::vector<std::string_view> known;
  for (const Verb& verb : kVerbs) known.emplace_back(verb.name);
  const std::string_view nearest = nearest_word(left.front(), known);
  if (nearest.empty())
    fmt::print(stderr, "binlane: unknown verb '{}'; known are {}\n", left.front(),
               fmt::join(known, ", "));
  else
    fmt::print(stderr, "binlane: unknown verb '{}'; did you mean '{}'?\n", left.front(), nearest);
  return kExitUsage;
}

int run(int argc, char** argv) {
  CLI::App app("Talks to a binlaned: one verb a call.", "binlane");
  Options options;
  app.add_option("--socket", options.socket, "the daemon's admin socket")
      ->envname(admin::kSocketEnvironment);
  app.add_option("--timeout-ms", options.timeout_ms, "how long to wait for the daemon")
      ->check(CLI::Range(1, 600'000))
      ->capture_default_str();
  app.set_version_flag("--version", BINLANE_VERSION);
  app.footer(kFooter);
  app.require_subcommand(1);
  // So that --socket may stand behind the verb as well.
  app.fallthrough();
  const Verb* chosen = nullptr;
  for (const Verb& verb : kVerbs) {
    CLI::App* const command = app.add_subcommand(verb.name, verb.summary);
    command->add_flag("--json", options.as_json, "print the daemon's answer as JSON");
    verb.options(*command, options);
    command->callback([&chosen, &verb] { chosen = &verb; });
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    return unknown_verb(app, error);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  if (options.socket.empty()) {
    fmt::print(stderr, "binlane: which daemon? Give --socket PATH or set {}\n",
               admin::kSocketEnvironment);
    return kExitUsage;
  }
  return ask(*chosen, options);
}

}  // namespace
}  // namespace binlane

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  try {
    return binlane::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "binlane: {}\n", error.what());
    return binlane::kExitError;
  }
}
