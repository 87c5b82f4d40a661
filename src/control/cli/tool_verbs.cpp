// Verbs for people and their shells: top, doctor, support-bundle, completion, man.
#include "control/cli/tool_verbs.h"

#include <fmt/format.h>

#include <cstdio>

#include "control/cli/ask.h"
#include "control/cli/completion.h"
#include "control/cli/default_socket.h"
#include "control/cli/doctor_report.h"
#include "control/cli/support_bundle.h"
#include "control/cli/top.h"

namespace binlane::cli {
namespace {

struct ToolOptions {
  std::string shell;
  std::string config = kDefaultConfig;
  std::string folder = ".";
  TopOptions top;
};
ToolOptions g_options;

void add_top(CLI::App& app) {
  app.add_option("--interval-ms", g_options.top.interval_ms, "time between two screens")
      ->check(CLI::Range(100, 60'000))
      ->capture_default_str();
  app.add_option("--count", g_options.top.count,
                 "print this many screens one below the other, and end");
}

int run_top(const Context& context) {
  return top(context, g_options.top);
}

void add_doctor(CLI::App& app) {
  app.add_option("--config", g_options.config, "the file that binlaned is started with")
      ->capture_default_str();
}

int run_doctor(const Context& context) {
  return doctor(context, g_options.config);
}

void add_bundle(CLI::App& app) {
  app.add_option("--into", g_options.folder, "the folder to make the bundle in")
      ->capture_default_str();
}

int run_bundle(const Context& context) {
  return support_bundle(context, g_options.folder);
}

// A parser like the program's own; its texts are all that is wanted.
struct Parser {
  CLI::App app{"Talks to a binlaned: one verb a call.", "binlane"};
  Context context;
  const Verb* chosen = nullptr;
  Parser() { build_parser(app, context, chosen); }
};

void add_completion(CLI::App& app) {
  app.add_option("shell", g_options.shell, "bash or zsh")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh"}));
}

int run_completion(const Context&) {
  const Parser parser;
  fmt::print("{}", completion_script(parser.app, g_options.shell));
  return kExitOk;
}

int run_man(const Context&) {
  const Parser parser;
  fmt::print("{}", man_page(parser.app, BINLANE_VERSION));
  return kExitOk;
}

void nothing(CLI::App&) {}

constexpr Verb kVerbs[] = {
    {"top", "a live screen; q ends it", "binlane top\nbinlane top --count 1", add_top, run_top},
    {"doctor", "look for what will give trouble on this host",
     "binlane doctor --config /etc/binlane/binlaned.toml", add_doctor, run_doctor},
    {"support-bundle", "pack what a person who helps will ask for; no passwords",
     "binlane support-bundle --into /tmp", add_bundle, run_bundle},
    {"completion", "print the completion script of a shell",
     "binlane completion bash > /etc/bash_completion.d/binlane", add_completion, run_completion},
    {"man", "print the manual page", "binlane man | man -l -", nothing, run_man},
};

}  // namespace

std::span<const Verb> tool_verbs() {
  return kVerbs;
}

}  // namespace binlane::cli
