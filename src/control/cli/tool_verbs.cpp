// Verbs for people and their shells: top, doctor, support-bundle, completion, man.
#include "control/cli/tool_verbs.h"

#include <fmt/format.h>

#include <cstdio>

#include "control/cli/ask.h"
#include "control/cli/completion.h"
#include "control/cli/doctor_report.h"
#include "control/cli/installed_config.h"
#include "control/cli/shared_options.h"
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
ToolOptions g_tool;

void add_top(VerbOptions& options) {
  options.number("--interval-ms", g_tool.top.interval_ms, "time between two screens")
      .between(100, 60'000)
      .shows_default();
  options.number("--count", g_tool.top.count,
                 "print this many screens one after the other, and end");
}

int run_top(const Context& context) {
  return top(context, g_tool.top);
}

void add_doctor(VerbOptions& options) {
  options.text("--config", g_tool.config, "the configuration file that binlaned is started with")
      .shows_default();
}

int run_doctor(const Context& context) {
  return doctor(context, g_tool.config);
}

void add_bundle(VerbOptions& options) {
  options.text("--into", g_tool.folder, "the folder for the bundle").shows_default();
}

int run_bundle(const Context& context) {
  return support_bundle(context, g_tool.folder);
}

void add_completion(VerbOptions& options) {
  options.text("shell", g_tool.shell, "bash or zsh").required().one_of({"bash", "zsh"});
}

int run_completion(const Context&) {
  fmt::print("{}", completion_script(g_tool.shell));
  return kExitOk;
}

int run_man(const Context&) {
  fmt::print("{}", man_page(BINLANE_VERSION));
  return kExitOk;
}

constexpr Verb kToolVerbs[] = {
    {"top", "a live screen; q ends it", "binlane top\nbinlane top --count 1", add_top, run_top},
    {"doctor", "check this host for what will cause trouble",
     "binlane doctor --config /etc/binlane/binlaned.toml", add_doctor, run_doctor},
    {"support-bundle", "collect what a supporter will ask for, without passwords",
     "binlane support-bundle --into /tmp", add_bundle, run_bundle},
    {"completion", "print the completion script of a shell",
     "binlane completion bash > /etc/bash_completion.d/binlane", add_completion, run_completion},
    {"man", "print the manual page", "binlane man | man -l -", no_options, run_man},
};

}  // namespace

std::span<const Verb> tool_verbs() {
  return kToolVerbs;
}

}  // namespace binlane::cli
