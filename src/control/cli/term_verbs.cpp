#include "control/cli/term_verbs.h"

#include <fmt/format.h>

#include <cstdio>

#include "base/error.h"
#include "control/cli/ask.h"
#include "control/cli/installed_config.h"
#include "control/failover/term_reset.h"

namespace binlane::cli {
namespace {

struct TermOptions {
  std::string action = "show";
  std::string config = kDefaultConfig;
  std::uint32_t term = 0;
  std::string source;
  bool confirmed = false;
};
TermOptions g_term;

void add_term(VerbOptions& options) {
  options.text("action", g_term.action, "show, or reset").one_of({"show", "reset"});
  options.text("--config", g_term.config, "the configuration file that binlaned is started with")
      .shows_default();
  options.number("--term", g_term.term, "reset: the term that this host is to know");
  options.text(
      "--source", g_term.source,
      "reset: the host id of the source that continues in that term (binlane term show on its "
      "host); without it the term is promised to nobody, and a promotion has to follow");
  options.flag("--all-hosts-are-stopped", g_term.confirmed,
               "reset: binlaned is stopped on every host of the cluster");
}

int show(const TermReport& report, const Context& context) {
  if (context.as_json) {
    print_json({{"found", report.found},
                {"done", report.done},
                {"problem", report.problem.empty() ? json(nullptr) : json(report.problem)}});
  } else {
    for (const std::string& line : report.found) fmt::print("found: {}\n", line);
    for (const std::string& line : report.done) fmt::print("now:   {}\n", line);
  }
  if (report.problem.empty()) return kExitOk;
  fmt::print(stderr, "binlane: {}\n", report.problem);
  return kExitRefused;
}

int run_term(const Context& context) {
  hint_at_other_config(context, g_term.config, "--config FILE");
  Config config;
  try {
    config = load_config(g_term.config);
  } catch (const StartupError& error) {
    fmt::print(stderr, "binlane: {}\n", error.what());
    return kExitError;
  }
  if (g_term.action == "show") return show(look_at_terms(config, nullptr), context);
  TermReset reset{g_term.term, std::nullopt};
  if (!g_term.source.empty()) {
    reset.source = parse_uuid(g_term.source);
    if (!reset.source) {
      fmt::print(stderr, "binlane: --source {}: not a host id\n", g_term.source);
      return kExitUsage;
    }
  }
  if (g_term.confirmed) return show(look_at_terms(config, &reset), context);
  TermReport report = look_at_terms(config, nullptr);
  if (report.problem.empty())
    report.problem =
        "a promise that is taken back may let a deposed source go on. Stop binlaned on every host "
        "of the cluster, then repeat this on each with --all-hosts-are-stopped; nothing was "
        "changed";
  return show(report, context);
}

constexpr Verb kTermVerbs[] = {
    {"term", "show or reset the terms on record, with the daemon stopped",
     "binlane term show --config /etc/binlane/binlaned.toml\n"
     "binlane term reset --config /etc/binlane/binlaned.toml --term 3 --all-hosts-are-stopped",
     add_term, run_term},
};

}  // namespace

std::span<const Verb> term_verbs() {
  return kTermVerbs;
}

}  // namespace binlane::cli
