// binlane: the program an operator talks to a binlaned with, over its admin socket.
//
// Every verb is a row of the table below: what it asks the daemon, and how its answer is shown.

#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <thread>
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
constexpr int kExitRefused = 5;
constexpr int kExitUnfinished = 6;
constexpr int kExitAbsent = 10;
constexpr int kExitInDoubt = 11;

constexpr const char* kFooter =
    "Exit codes:\n"
    "  0  done\n"
    "  1  the daemon answered with an error\n"
    "  2  wrong usage\n"
    "  3  the daemon cannot be reached\n"
    "  4  status --check: something is amiss (a source that is not SEMISYNC, a replica that is "
    "not\n"
    "     connected, a journal, archive or ledger that has failed)\n"
    "  5  promote, rejoin: refused, with the reason\n"
    "  6  promote, rejoin: still going on when --wait-s was over\n"
    "  10 verdict: ABSENT (0 is DURABLE)\n"
    "  11 verdict: IN-DOUBT\n"
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
  std::string replica;
  std::uint32_t wait_s = 60;
  bool dry_run = false;
  bool cut = false;
  bool rebuilt = false;
  std::string what;
};

struct Verb {
  const char* name;
  const char* summary;
  // Adds the verb's own options.
  void (*options)(CLI::App& app, Options& options);
  // Shows the daemon's result; the exit code.
  int (*show)(const json& result, const Options& options);
  // What is asked for beside the verb.
  json (*arguments)(const Options& options) = nullptr;
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

std::string text_of(const json& result, const char* key) {
  const auto found = result.find(key);
  return found != result.end() && found->is_string() ? found->get<std::string>() : std::string();
}

int show_promotion(const json& result, const Options& options) {
  if (options.as_json) {
    print_json(result);
  } else {
    for (const json& line : result.value("proof", json::array()))
      fmt::print("{}\n", line.get<std::string>());
    fmt::print("role {}, term {}, step {}\n", text_of(result, "role"), result.value("term", 0),
               text_of(result, "step"));
    if (const std::string at = text_of(result, "sealed_at"); !at.empty())
      fmt::print("the stream before, {}, ended at {} (GTID {})\n", text_of(result, "sealed_stream"),
                 at, text_of(result, "gtid"));
    if (const std::string start = text_of(result, "new_start"); !start.empty())
      fmt::print("the new stream begins at {}\n", start);
  }
  if (const std::string refusal = text_of(result, "refusal"); !refusal.empty()) {
    fmt::print(stderr, "binlane: not promoted: {}\n", refusal);
    const std::string better = text_of(result, "better_candidate");
    if (!better.empty()) fmt::print(stderr, "binlane: promote {} instead\n", better);
    return kExitRefused;
  }
  if (!result.value("running", false)) return kExitOk;
  fmt::print(stderr, "binlane: going on, waits for {}\n", text_of(result, "waiting_for"));
  return kExitUnfinished;
}

int show_verdict(const json& result, const Options& options) {
  const std::string verdict = text_of(result, "verdict");
  if (options.as_json) {
    print_json(result);
  } else {
    fmt::print("{}\n", verdict);
    for (const json& line : result.value("evidence", json::array()))
      fmt::print("  {}\n", line.get<std::string>());
  }
  if (verdict == "DURABLE") return kExitOk;
  return verdict == "ABSENT" ? kExitAbsent : kExitInDoubt;
}

int show_rejoin(const json& result, const Options& options) {
  if (options.as_json) {
    print_json(result);
  } else {
    for (const json& line : result.value("report", json::array()))
      fmt::print("{}\n", line.get<std::string>());
  }
  if (const std::string refusal = text_of(result, "refusal"); !refusal.empty()) {
    fmt::print(stderr, "binlane: not rejoined: {}\n", refusal);
    return kExitRefused;
  }
  return result.value("running", false) ? kExitUnfinished : kExitOk;
}

// Asks `verb` until what was begun has ended, and says what it waits for meanwhile.
int follow(const char* verb, int (*show)(const json&, const Options&), const Options& options) {
  constexpr auto kPause = std::chrono::milliseconds(100);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(options.wait_s);
  std::string waiting;
  for (;;) {
    const AdminOutcome outcome =
        admin_request(options.socket, {{admin::kVerb, verb}}, options.timeout_ms);
    if (const auto* unreachable = std::get_if<AdminUnreachable>(&outcome)) {
      fmt::print(stderr, "binlane: {}; what was begun goes on when the daemon is back\n",
                 unreachable->message);
      return kExitUnreachable;
    }
    if (const auto* error = std::get_if<AdminError>(&outcome)) {
      fmt::print(stderr, "binlane: {}\n", error->message);
      return kExitError;
    }
    const json& result = std::get<json>(outcome);
    const bool over = std::chrono::steady_clock::now() > deadline;
    if (!result.value("running", false) || over) return show(result, options);
    if (const std::string now = text_of(result, "waiting_for"); now != waiting && !now.empty()) {
      waiting = now;
      if (!options.as_json) fmt::print(stderr, "waiting for {}\n", waiting);
    }
    std::this_thread::sleep_for(kPause);
  }
}

int follow_promotion(const json&, const Options& options) {
  return follow(admin::kVerbPromotion, show_promotion, options);
}

int follow_rejoin(const json&, const Options& options) {
  return follow(admin::kVerbRejoining, show_rejoin, options);
}

constexpr Verb kVerbs[] = {
    {admin::kVerbStatus, "show role, state, marks and replicas",
     [](CLI::App& app, Options& options) {
       app.add_flag("--check", options.check, "exit with 4 when something is amiss");
     },
     show_status},
    {admin::kVerbPing, "ask whether the daemon answers", [](CLI::App&, Options&) {}, show_ping},
    {admin::kVerbPromote, "make this daemon's host the source, if that loses nothing",
     [](CLI::App& app, Options& options) {
       app.add_option("replica", options.replica, "the host's own name, as a guard")->required();
       app.add_flag("--dry-run", options.dry_run,
                    "only say what it would take, as far as this host knows by itself");
       app.add_option("--wait-s", options.wait_s, "how long to follow it")
           ->check(CLI::Range(0, 86'400))
           ->capture_default_str();
     },
     follow_promotion,
     [](const Options& options) {
       return json{{"replica", options.replica}, {"dry_run", options.dry_run}};
     }},
    {admin::kVerbPromotion, "show how far the promotion of this host has got",
     [](CLI::App&, Options&) {}, show_promotion},
    {admin::kVerbVerdict, "say whether a transaction survived, as far as this host can tell",
     [](CLI::App& app, Options& options) {
       app.add_option("what", options.what,
                      "its GTID (0-1-42), or where it ends in the binlog (binlog.000003:1234)")
           ->required();
     },
     show_verdict,
     [](const Options& options) {
       return json{{"what", options.what}};
     }},
    {admin::kVerbRejoin, "make this host, which was the source, a replica of the new one",
     [](CLI::App& app, Options& options) {
       app.add_flag("--cut", options.cut,
                    "cut off what only this server has, where that is provably not committed");
       app.add_flag("--rebuilt", options.rebuilt,
                    "the server was rebuilt from a copy: compare nothing");
       app.add_option("--wait-s", options.wait_s, "how long to follow it")
           ->check(CLI::Range(0, 86'400))
           ->capture_default_str();
     },
     follow_rejoin,
     [](const Options& options) {
       return json{{"cut", options.cut}, {"rebuilt", options.rebuilt}};
     }},
};

int ask(const Verb& verb, const Options& options) {
  json request = verb.arguments == nullptr ? json::object() : verb.arguments(options);
  request[admin::kVerb] = verb.name;
  const AdminOutcome outcome = admin_request(options.socket, request, options.timeout_ms);
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
