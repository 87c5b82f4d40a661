// Verbs about which host is the source: promote, promotion, fence, rejoin, verdict.
#include "control/cli/role_verbs.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "binlane/admin.h"
#include "control/cli/ask.h"
#include "control/cli/shared_options.h"

namespace binlane::cli {
namespace {

struct RoleOptions {
  std::uint32_t term = 0;
  std::string host;
  std::string reason;
  bool lift = false;
  bool kill_server = false;
  std::uint32_t wait_s = 60;
  bool dry_run = false;
  bool from_live_source = false;
  bool cut = false;
  bool rebuilt = false;
  bool without_audit = false;
  std::string what;
};
RoleOptions g_role;

// The step of a host that was never promoted, or whose promotion was refused.
constexpr const char* kNoStep = "NONE";

void add_without_audit(VerbOptions& options) {
  options.flag("--without-audit", g_role.without_audit,
               "do it although the audit log cannot be written");
}

// The daemon refuses to change its host's role, whatever the reason: the guard, a missing section,
// the audit log.
int refused(int code) {
  return code == kExitError ? kExitRefused : code;
}

int show_promotion(const json& result, const Context& context) {
  if (context.as_json) {
    print_json(result);
  } else {
    for (const json& line : result.value("proof", json::array()))
      fmt::print("{}\n", line.get<std::string>());
    if (text_of(result, "step") == kNoStep)
      fmt::print("role {}; no promotion of this host is on record\n", text_of(result, "role"));
    else
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
  fmt::print(stderr, "binlane: still in progress: waiting for {}\n",
             text_of(result, "waiting_for"));
  return kExitUnfinished;
}

int show_verdict(const json& result, const Context& context) {
  const std::string verdict = text_of(result, "verdict");
  if (context.as_json) {
    print_json(result);
  } else {
    fmt::print("{}\n", verdict);
    for (const json& line : result.value("evidence", json::array()))
      fmt::print("  {}\n", line.get<std::string>());
  }
  if (verdict == "DURABLE") return kExitOk;
  return verdict == "ABSENT" ? kExitAbsent : kExitInDoubt;
}

int show_rejoin(const json& result, const Context& context) {
  if (context.as_json) {
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

// Asks `verb` until what was begun has ended, and meanwhile says what it waits for.
int follow(const char* verb, int (*show)(const json&, const Context&), const Context& context) {
  constexpr auto kPause = std::chrono::milliseconds(100);
  // What a healthy one waits for in its first moments need not worry anybody.
  constexpr auto kQuiet = std::chrono::seconds(1);
  const auto begun = std::chrono::steady_clock::now();
  const auto deadline = begun + std::chrono::seconds(g_role.wait_s);
  std::string waiting;
  for (;;) {
    int code = kExitOk;
    const auto result = ask(context, verb, code);
    if (!result) {
      if (code == kExitUnreachable)
        fmt::print(stderr, "binlane: what was begun continues when the daemon is back\n");
      return code;
    }
    const bool over = std::chrono::steady_clock::now() > deadline;
    if (!flag_of(*result, "running") || over) return show(*result, context);
    const bool quiet = std::chrono::steady_clock::now() - begun < kQuiet;
    const std::string now = text_of(*result, "waiting_for");
    if (!quiet && now != waiting && !now.empty()) {
      waiting = now;
      if (!context.as_json) fmt::print(stderr, "waiting for {}\n", waiting);
    }
    std::this_thread::sleep_for(kPause);
  }
}

void add_promote(VerbOptions& options) {
  options.text("host", g_role.host, "the name of this daemon's host, as a guard").required();
  options.flag("--dry-run", g_role.dry_run,
               "only say what the promotion would need: peers are asked, and nothing is changed");
  options.flag(
      "--from-live-source", g_role.from_live_source,
      "promote although the source is alive: a planned switchover (stop its writers first)");
  add_without_audit(options);
  add_wait(options, g_role.wait_s);
}

int run_promote(const Context& context) {
  int code = kExitOk;
  if (!ask(context, admin::kVerbPromote, code,
           {{"replica", g_role.host},
            {"dry_run", g_role.dry_run},
            {"from_live_source", g_role.from_live_source},
            {admin::kWithoutAudit, g_role.without_audit}}))
    return refused(code);
  return follow(admin::kVerbPromotion, show_promotion, context);
}

int run_promotion(const Context& context) {
  int code = kExitOk;
  const auto result = ask(context, admin::kVerbPromotion, code);
  return result ? show_promotion(*result, context) : code;
}

void add_fence(VerbOptions& options) {
  options
      .text(
          "host", g_role.host,
          "the name of this daemon's host, as a guard. If it is a standby or a replica, the source "
          "that runs becomes FENCED too, as soon as it asks this host: within seconds, and for "
          "good")
      .required();
  VerbOption lift = options.flag(
      "--lift", g_role.lift, "end the fence of a source, as long as no other host was promoted");
  options.text("--reason", g_role.reason, "the reason, for the ledger, the log and the status")
      .excludes(lift);
  options
      .flag("--kill-server", g_role.kill_server,
            "kill the server's process first, so that no client that waits for a quorum is told OK")
      .excludes(lift);
  add_without_audit(options);
}

int run_fence(const Context& context) {
  json arguments = {{"host", g_role.host}, {admin::kWithoutAudit, g_role.without_audit}};
  if (!g_role.lift) {
    arguments["reason"] = g_role.reason;
    arguments["kill_server"] = g_role.kill_server;
  }
  int code = kExitOk;
  const auto result = ask(context, g_role.lift ? admin::kVerbUnfence : admin::kVerbFence, code,
                          std::move(arguments));
  if (!result) return refused(code);
  if (context.as_json)
    print_json(*result);
  else if (g_role.lift)
    fmt::print("the fence is lifted: this host is the source again\n");
  else
    for (const json& line : member(*result, "report")) fmt::print("{}\n", line.get<std::string>());
  if (g_role.lift || flag_of(*result, "on_record")) return kExitOk;
  fmt::print(stderr, "binlane: fenced, not on record\n");
  return kExitNotOnRecord;
}

void add_rejoin(VerbOptions& options) {
  options.flag("--cut", g_role.cut,
               "cut off what only this server has, if that is provably not committed");
  options.flag("--rebuilt", g_role.rebuilt, "the server was rebuilt from a copy: compare nothing");
  add_without_audit(options);
  add_wait(options, g_role.wait_s);
}

int run_rejoin(const Context& context) {
  int code = kExitOk;
  if (!ask(context, admin::kVerbRejoin, code,
           {{"cut", g_role.cut},
            {"rebuilt", g_role.rebuilt},
            {admin::kWithoutAudit, g_role.without_audit}}))
    return refused(code);
  return follow(admin::kVerbRejoining, show_rejoin, context);
}

void add_verdict(VerbOptions& options) {
  options
      .text("transaction", g_role.what,
            "its GTID (0-1-42), or where it ends in the binlog (binlog.000003:1234)")
      .required();
  options.number("--term", g_role.term,
                 "of a position: the term in which the transaction was written");
}

int run_verdict(const Context& context) {
  int code = kExitOk;
  json request{{"what", g_role.what}};
  if (g_role.term > 0) request["term"] = g_role.term;
  const auto result = ask(context, admin::kVerbVerdict, code, request);
  return result ? show_verdict(*result, context) : code;
}

constexpr Verb kRoleVerbs[] = {
    {"promote", "make this daemon's host the source, if that loses nothing",
     "binlane promote b --dry-run\nbinlane promote b\nbinlane promote b --from-live-source",
     add_promote, run_promote},
    {"promotion", "show which step the promotion of this host has reached",
     "binlane promotion --json", no_options, run_promotion},
    {"fence",
     "fence this daemon's host now: a source completes no quorum any more; a standby or replica "
     "serves no older source, and so fences the source that runs",
     "binlane fence a --reason 'its disk is failing'\nbinlane fence a --kill-server --reason 'its "
     "clients must not be told OK'\nbinlane fence a --lift",
     add_fence, run_fence},
    {"rejoin", "make this host, which was the source, a replica of the new one",
     "binlane rejoin\nbinlane rejoin --cut", add_rejoin, run_rejoin},
    {"verdict", "say whether a transaction survived, as far as this host can tell",
     "binlane verdict 0-1-42\nbinlane verdict binlog.000003:1234 --term 2", add_verdict,
     run_verdict},
};

}  // namespace

std::span<const Verb> role_verbs() {
  return kRoleVerbs;
}

}  // namespace binlane::cli
