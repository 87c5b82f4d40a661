// Verbs about commits that are released without a quorum: degrade, resume, ledger.
#include "control/cli/fallback_verbs.h"

#include <fmt/format.h>

#include <cstdio>

#include "binlane/admin.h"
#include "control/cli/ask.h"
#include "control/cli/shared_options.h"

namespace binlane::cli {
namespace {

struct FallbackOptions {
  std::uint32_t wait_s = 30;
  std::string action = "list";
  std::uint64_t id = 0;
  bool all = false;
  bool without_audit = false;
};
FallbackOptions g_fallback;

void add_wait_option(VerbOptions& options) {
  add_wait(options, g_fallback.wait_s);
}

int show_state(const Context& context) {
  int code = kExitOk;
  const auto status = ask(context, admin::kVerbStatus, code);
  if (!status) return code;
  const json& source = member(*status, "source");
  const json shown = {{"state", member(source, "state")},
                      {"held", member(source, "held")},
                      {"last_transition", member(source, "last_transition")}};
  if (context.as_json)
    print_json(shown);
  else
    fmt::print("{}\n", text_of(shown, "state"));
  return kExitOk;
}

int ask_and_follow(const Context& context, const char* verb, const std::string& state) {
  int code = kExitOk;
  if (!ask(context, verb, code)) return code == kExitError ? kExitRefused : code;
  code = follow_status(
      context, g_fallback.wait_s,
      [&state](const json& status) { return text_of(member(status, "source"), "state") == state; },
      "the source to be " + state);
  return code == kExitOk ? show_state(context) : code;
}

int run_degrade(const Context& context) {
  return ask_and_follow(context, admin::kVerbDegrade, "ASYNC");
}

int run_resume(const Context& context) {
  return ask_and_follow(context, admin::kVerbResume, "SEMISYNC");
}

// --- ledger

void add_ledger(VerbOptions& options) {
  options.text("action", g_fallback.action, "list, export (with every transaction), or ack")
      .one_of({"list", "export", "ack"})
      .shows_default();
  options.number("id", g_fallback.id, "ack: all intervals up to this one; export: only this one");
  options.flag("--all", g_fallback.all, "ack: all that are closed");
  options.flag("--without-audit", g_fallback.without_audit,
               "ack although the audit log cannot be written");
}

int list_intervals(const Context& context, const json& ledger) {
  if (context.as_json)
    print_json(ledger);
  else
    fmt::print("{}", ledger_table(ledger));
  return kExitOk;
}

int export_intervals(const Context& context, const json& ledger) {
  json all = json::array();
  bool found = g_fallback.id == 0;
  for (const json& interval : member(ledger, "intervals")) {
    const std::uint64_t id = count_of(interval, "id");
    if (g_fallback.id != 0 && id != g_fallback.id) continue;
    found = true;
    int code = kExitOk;
    auto groups = ask(context, admin::kVerbLedgerGroups, code,
                      {{"id", id}, {admin::kWithoutAudit, g_fallback.without_audit}});
    if (!groups) return code;
    all.push_back(std::move(*groups));
  }
  // Printing nothing would mean that nothing was released.
  if (!found) {
    fmt::print(stderr, "binlane: id: there is no interval {} (binlane ledger list)\n",
               g_fallback.id);
    return kExitError;
  }
  if (context.as_json) {
    print_json(all);
    return kExitOk;
  }
  for (const json& interval : all) {
    for (const json& group : member(interval, "transactions"))
      fmt::print("{}\t{}\t{}\n", count_of(interval, "id"), text_of(group, "gtid"),
                 text_of(group, "end"));
    if (flag_of(interval, "cut_short"))
      fmt::print(stderr, "binlane: interval {} has more transactions than are listed\n",
                 count_of(interval, "id"));
  }
  return kExitOk;
}

int acknowledge(const Context& context, const json& ledger) {
  std::uint64_t id = g_fallback.id;
  if (g_fallback.all) {
    id = 0;
    for (const json& interval : member(ledger, "intervals")) {
      if (flag_of(interval, "open")) break;
      id = count_of(interval, "id");
    }
    if (id == 0 || count_of(ledger, "unacknowledged") == 0) {
      fmt::print("nothing to acknowledge\n");
      return kExitOk;
    }
  }
  if (id == 0) {
    fmt::print(stderr, "binlane: ledger ack needs the number of an interval, or --all\n");
    return kExitUsage;
  }
  int code = kExitOk;
  const auto result = ask(context, admin::kVerbLedgerAck, code,
                          {{"id", id}, {admin::kWithoutAudit, g_fallback.without_audit}});
  if (!result) return code == kExitError ? kExitRefused : code;
  if (context.as_json)
    print_json(*result);
  else
    fmt::print("intervals up to {} are acknowledged\n", id);
  return kExitOk;
}

int run_ledger(const Context& context) {
  int code = kExitOk;
  const auto ledger = ask(context, admin::kVerbLedger, code);
  if (!ledger) return code;
  if (g_fallback.action == "export") return export_intervals(context, *ledger);
  if (g_fallback.action == "ack") return acknowledge(context, *ledger);
  return list_intervals(context, *ledger);
}

constexpr Verb kFallbackVerbs[] = {
    {"degrade", "let commits go on without semi-sync, recorded in the ledger, until resume",
     "binlane degrade", add_wait_option, run_degrade},
    {"resume", "end a degrade, or an OFF that somebody has set at the server",
     "binlane resume --wait-s 60", add_wait_option, run_resume},
    {"ledger", "what was released to clients without a quorum",
     "binlane ledger list\n"
     "binlane ledger export 3 --json\n"
     "binlane ledger ack 3\n"
     "binlane ledger ack --all",
     add_ledger, run_ledger},
};

}  // namespace

std::string ledger_table(const json& ledger) {
  std::vector<std::vector<std::string>> rows = {
      {"ID", "FROM", "TO", "TRANSACTIONS", "ACKNOWLEDGED", "SINCE", "WHY"}};
  for (const json& interval : member(ledger, "intervals")) {
    const json& causes = member(interval, "causes");
    const json first = causes.is_array() && !causes.empty() ? causes.front() : json::object();
    const bool open = flag_of(interval, "open");
    rows.push_back({fmt::format("{}", count_of(interval, "id")), text_of(interval, "from"),
                    open ? "(open)" : text_of(interval, "to"),
                    open ? "-"
                    : member(interval, "groups").is_null()
                        ? "unknown"
                        : fmt::format("{}", count_of(interval, "groups")),
                    flag_of(interval, "acknowledged") ? "yes" : "no", text_of(first, "at"),
                    text_of(first, "reason")});
  }
  return table_text(rows);
}

std::span<const Verb> fallback_verbs() {
  return kFallbackVerbs;
}

}  // namespace binlane::cli
