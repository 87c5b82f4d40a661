#include <CLI/CLI.hpp>
#include <vector>

#include "binlane/admin.h"
#include "control/cli/fallback_verbs.h"
#include "control/cli/role_verbs.h"
#include "control/cli/setting_verbs.h"
#include "control/cli/stage_verbs.h"
#include "control/cli/status_verbs.h"
#include "control/cli/term_verbs.h"
#include "control/cli/tool_verbs.h"
#include "control/cli/verb.h"

namespace binlane::cli {
namespace {

constexpr const char* kFooter =
    "Exit codes:\n"
    "  0  done\n"
    "  1  the daemon answered with an error, or a configuration has faults\n"
    "  2  wrong usage\n"
    "  3  the daemon cannot be reached\n"
    "  4  status --check: the list of problems has a fault (a source that is not SEMISYNC, a "
    "replica\n"
    "     that is not connected, a file of Binlane's that cannot be written, and others)\n"
    "  5  refused, with the reason\n"
    "  6  still in progress when --wait-s ended\n"
    "  7  fence: fenced, not on record\n"
    "  10 verdict: ABSENT (0 is DURABLE)\n"
    "  11 verdict: IN-DOUBT\n"
    "  12 doctor: warnings\n"
    "  13 doctor: something has to be repaired\n"
    "\n"
    "Examples:\n"
    "  binlane status\n"
    "  binlane --socket /srv/b/admin.sock status --json\n"
    "  BINLANE_SOCKET=/srv/b/admin.sock binlane status\n"
    "  binlane status --check || echo 'commits are not protected'\n";

std::string examples_text(const Verb& verb) {
  std::string text = "Examples:\n  ";
  for (const char* c = verb.examples; *c != '\0'; ++c) {
    text += *c;
    if (*c == '\n') text += "  ";
  }
  return text;
}

}  // namespace

std::span<const Verb> verbs() {
  static const std::vector<Verb> all = [] {
    std::vector<Verb> table;
    for (const auto group : {status_verbs(), setting_verbs(), fallback_verbs(), role_verbs(),
                             stage_verbs(), term_verbs(), tool_verbs()})
      table.insert(table.end(), group.begin(), group.end());
    return table;
  }();
  return all;
}

void build_parser(CLI::App& app, Context& context, const Verb*& chosen) {
  app.add_option("--socket", context.socket,
                 "the daemon's admin socket (default: admin_socket of /etc/binlane/binlaned.toml, "
                 "or else /run/binlane/admin.sock)")
      ->envname(admin::kSocketEnvironment);
  app.add_option("--timeout-ms", context.timeout_ms, "how long to wait for the daemon")
      ->check(CLI::Range(1, 600'000))
      ->capture_default_str();
  app.set_version_flag("--version", BINLANE_VERSION);
  app.footer(kFooter);
  app.require_subcommand(1);
  // So that --socket may come after the verb as well.
  app.fallthrough();
  for (const Verb& verb : verbs()) {
    CLI::App* const command = app.add_subcommand(verb.name, verb.summary);
    command->add_flag("--json", context.as_json, "print the answer as JSON");
    if (*verb.examples != '\0') command->footer(examples_text(verb));
    VerbOptions options(*command);
    verb.options(options);
    command->callback([&chosen, &verb] { chosen = &verb; });
  }
}

}  // namespace binlane::cli
