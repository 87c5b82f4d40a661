#include "control/cli/status_verbs.h"

#include <fmt/format.h>

#include <cstdio>

#include "binlane/admin.h"
#include "control/cli/ask.h"
#include "control/cli/mysql_table.h"
#include "control/cli/shared_options.h"
#include "control/cli/stage_verbs.h"
#include "control/cli/status_view.h"
#include "control/status/status_summary.h"

namespace binlane::cli {
namespace {

struct StatusOptions {
  bool check = false;
  bool mysql = false;
  bool stages = false;
  std::string names = "both";
};
StatusOptions g_status;

void add_status(VerbOptions& options) {
  options.flag("--check", g_status.check, "exit with 4 when the list of problems has a fault");
  options.flag("--mysql", g_status.mysql,
               "print it as SHOW STATUS LIKE 'Rpl_semi_sync%' does, with the server's own values");
  add_names(options, g_status.names);
  options.flag("--stages", g_status.stages, "also show how long commits take, stage by stage");
}

int run_status(const Context& context) {
  int code = kExitOk;
  auto status = ask(context, admin::kVerbStatus, code);
  if (!status) return code;
  // A host that is no source has none.
  const bool has_stages = g_status.stages && member(*status, "source").is_object();
  if (has_stages) {
    const auto histograms = ask(context, admin::kVerbHistograms, code);
    if (!histograms) return code;
    (*status)["stages"] = member(*histograms, "stages");
  }
  if (g_status.mysql) {
    const auto rows = mysql_status_rows(*status, parse_name_generation(g_status.names));
    if (context.as_json)
      print_json(json(rows));
    else
      fmt::print("{}", mysql_table(rows));
    if (const std::string standby = standby_text(*status); !standby.empty())
      fmt::print(stderr, "binlane: {}\n", standby);
  } else if (context.as_json) {
    print_json(*status);
  } else {
    fmt::print("{}", cut_lines(status_text(*status), terminal_columns()));
    if (has_stages) fmt::print("\n{}", stage_table(member(*status, "stages")));
  }
  if (!g_status.check) return kExitOk;
  const std::vector<std::string> faults = status_faults(*status);
  for (const std::string& fault : faults) fmt::print(stderr, "binlane: {}\n", fault);
  return faults.empty() ? kExitOk : kExitNotProtected;
}

int run_ping(const Context& context) {
  int code = kExitOk;
  const auto result = ask(context, admin::kVerbPing, code);
  if (!result) return code;
  if (context.as_json)
    print_json(*result);
  else
    fmt::print("binlaned answers\n");
  return kExitOk;
}

std::string lag_text(const json& replica, const char* name) {
  return member(replica, name).is_number() ? bytes_text(member(replica, name).get<double>()) : "-";
}

int run_replicas(const Context& context) {
  int code = kExitOk;
  const auto status = ask(context, admin::kVerbStatus, code);
  if (!status) return code;
  const json& replicas = member(member(*status, "source"), "replicas");
  if (!replicas.is_array()) {
    fmt::print(stderr, "binlane: this host has no [source] section\n");
    return kExitError;
  }
  if (context.as_json)
    print_json(replicas);
  else if (const std::string standby = standby_text(*status); !standby.empty())
    fmt::print("{}\n", standby);
  else
    fmt::print("{}", replicas_table(replicas));
  return kExitOk;
}

int run_metrics(const Context& context) {
  int code = kExitOk;
  const auto result = ask(context, admin::kVerbMetrics, code);
  if (!result) return code;
  if (context.as_json)
    print_json(*result);
  else
    fmt::print("{}", document_of(*result, "text"));
  return kExitOk;
}

constexpr Verb kStatusVerbs[] = {
    {"status", "show role, state, marks and replicas",
     "binlane status\n"
     "binlane status --json\n"
     "binlane status --check || echo 'commits are not protected'\n"
     "binlane status --stages\n"
     "binlane status --mysql --names master",
     add_status, run_status},
    {"replicas", "list the replicas of this source", "binlane replicas\nbinlane replicas --json",
     no_options, run_replicas},
    {"metrics", "print what the Prometheus endpoint shows",
     "binlane metrics | promtool check metrics", no_options, run_metrics},
    {"ping", "ask whether the daemon answers", "binlane ping", no_options, run_ping},
};

}  // namespace

std::string replicas_table(const json& replicas) {
  std::vector<std::vector<std::string>> rows = {
      {"NAME", "ZONE", "STATE", "DURABLE LAG", "ROUND TRIP", "SESSIONS", "RETRANSMITS", "NOTE"}};
  for (const json& replica : replicas) {
    std::string note = text_of(replica, "refusal");
    for (const char* flag : {"damaged", "learner", "slow"}) {
      if (flag_of(replica, flag)) note += (note.empty() ? "" : "; ") + std::string(flag);
    }
    if (!flag_of(replica, "counts")) note += (note.empty() ? "" : "; ") + std::string("in no rule");
    const json& round_trip = member(replica, "rtt_us");
    rows.push_back({text_of(replica, "name"),
                    text_of(replica, "zone").empty() ? "-" : text_of(replica, "zone"),
                    flag_of(replica, "connected") ? "connected" : "away",
                    lag_text(replica, "durable_lag_bytes"),
                    round_trip.is_number() ? duration_text(round_trip.get<double>()) : "-",
                    fmt::format("{}", count_of(replica, "sessions")),
                    fmt::format("{}", count_of(member(replica, "counters"), "retransmits")), note});
  }
  return table_text(rows);
}

std::span<const Verb> status_verbs() {
  return kStatusVerbs;
}

}  // namespace binlane::cli
