// Verbs about settings: variables, set, quorum, wait-point, reload, config.
#include "control/cli/setting_verbs.h"

#include <fmt/format.h>

#include <cstdio>

#include "base/error.h"
#include "binlane/admin.h"
#include "control/cli/ask.h"
#include "control/cli/installed_config.h"
#include "control/cli/mysql_table.h"
#include "control/cli/shared_options.h"
#include "control/cli/status_view.h"
#include "control/config/config_alias.h"
#include "control/config/config_change.h"
#include "control/config/service_identity.h"

namespace binlane::cli {
namespace {

struct SettingOptions {
  std::string pattern;
  bool mysql = false;
  std::string names = "both";
  std::string key;
  std::string value;
  std::string action;
  std::string rule;
  std::uint32_t wait_s = 15;
  std::string wait_point;
  std::string subject;
};
SettingOptions g_setting;

// --- variables

void add_variables(VerbOptions& options) {
  options.text("pattern", g_setting.pattern, "only settings whose names contain this");
  options.flag("--mysql", g_setting.mysql, "show them under MySQL's names, as SHOW VARIABLES does");
  add_names(options, g_setting.names);
}

int show_mysql_variables(const Context& context) {
  int code = kExitOk;
  const auto status = ask(context, admin::kVerbStatus, code);
  if (!status) return code;
  NamedValues rows = mysql_variable_rows(*status, parse_name_generation(g_setting.names));
  std::erase_if(rows, [](const auto& row) {
    return row.first.find(plain_key(g_setting.pattern)) == std::string::npos;
  });
  if (context.as_json)
    print_json(json(rows));
  else
    fmt::print("{}", mysql_table(rows));
  return kExitOk;
}

int run_variables(const Context& context) {
  if (g_setting.mysql) return show_mysql_variables(context);
  int code = kExitOk;
  auto result = ask(context, admin::kVerbVariables, code);
  if (!result) return code;
  json rows = json::array();
  for (const json& row : member(*result, "variables")) {
    if (text_of(row, "key").find(plain_key(g_setting.pattern)) != std::string::npos)
      rows.push_back(row);
  }
  if (context.as_json) {
    print_json(rows);
    return kExitOk;
  }
  std::vector<std::vector<std::string>> lines = {{"NAME", "VALUE", "CHANGE", "NOTE"}};
  for (const json& row : rows) {
    const bool differs = text_of(row, "value") != text_of(row, "file_value");
    lines.push_back({text_of(row, "key"), text_of(row, "value"),
                     flag_of(row, "live") ? "live" : "restart",
                     differs ? "the file has " + text_of(row, "file_value") : ""});
  }
  fmt::print("{}", table_text(lines));
  return kExitOk;
}

// --- set

void add_set(VerbOptions& options) {
  options.text("key", g_setting.key, "the setting, by Binlane's name or by MySQL's").required();
  options.text("value", g_setting.value, "its new value").required();
}

int set_to(const Context& context, const std::string& key, const std::string& value) {
  int code = kExitOk;
  const auto result = ask(context, admin::kVerbSet, code, {{"key", key}, {"value", value}});
  if (!result) return code;
  if (context.as_json)
    print_json(*result);
  else
    fmt::print("{} is {} now, until binlaned starts again; change the file as well\n",
               full_key(key), value);
  return kExitOk;
}

int run_set(const Context& context) {
  return set_to(context, g_setting.key, g_setting.value);
}

// --- quorum

void add_quorum(VerbOptions& options) {
  options.text("action", g_setting.action, "show, or set RULE").one_of({"show", "set"});
  options.text("rule", g_setting.rule, "such as 'ANY 2 (a, b, c)'");
  add_wait(options, g_setting.wait_s);
}

int show_quorum(const Context& context) {
  int code = kExitOk;
  const auto status = ask(context, admin::kVerbStatus, code);
  if (!status) return code;
  const json& source = member(*status, "source");
  const json shown = {{"rule", member(source, "rule")},
                      {"rule_in_force", member(source, "rule_in_force")},
                      {"rule_changing", member(source, "rule_changing")},
                      {"quorum_connected", member(source, "quorum_connected")},
                      {"quorum_margin", member(source, "quorum_margin")}};
  if (context.as_json) {
    print_json(shown);
    return kExitOk;
  }
  fmt::print("rule      {}\n", text_of(shown, "rule"));
  if (flag_of(shown, "rule_changing"))
    fmt::print("in force  {} (a change is in progress)\n", text_of(shown, "rule_in_force"));
  if (const std::string standby = standby_text(*status); !standby.empty()) {
    fmt::print("quorum    {}\n", standby);
    return kExitOk;
  }
  fmt::print("quorum    {}\n", flag_of(shown, "quorum_connected") ? "connected" : "not connected");
  const json& margin = member(shown, "quorum_margin");
  if (margin.is_number_integer() && margin.get<int>() >= 0)
    fmt::print("margin    {} more replicas may be lost\n", margin.get<int>());
  return kExitOk;
}

int run_quorum(const Context& context) {
  if (g_setting.action != "set") return show_quorum(context);
  if (g_setting.rule.empty()) {
    fmt::print(stderr, "binlane: quorum set needs a rule, such as 'ANY 2 (a, b, c)'\n");
    return kExitUsage;
  }
  int code = kExitOk;
  const auto result =
      ask(context, admin::kVerbSet, code, {{"key", "source.quorum"}, {"value", g_setting.rule}});
  // A rule that cannot be satisfied is a refusal, whatever was wrong with it.
  if (!result) return code == kExitError ? kExitRefused : code;
  code = follow_status(
      context, g_setting.wait_s,
      [](const json& status) { return !flag_of(member(status, "source"), "rule_changing"); },
      "the new rule to be on record with a quorum of each rule");
  return code == kExitOk ? show_quorum(context) : code;
}

// --- wait-point

void add_wait_point(VerbOptions& options) {
  options
      .text("point", g_setting.wait_point,
            "AFTER_SYNC or AFTER_COMMIT; without it the present one is shown")
      .one_of_in_any_case({"AFTER_SYNC", "AFTER_COMMIT"});
}

int run_wait_point(const Context& context) {
  if (!g_setting.wait_point.empty())
    return set_to(context, "source.wait_point", g_setting.wait_point);
  int code = kExitOk;
  const auto status = ask(context, admin::kVerbStatus, code);
  if (!status) return code;
  const json& source = member(*status, "source");
  const json shown = {{"wait_point", member(source, "wait_point")},
                      {"server", member(member(source, "server"), "wait_point")}};
  if (context.as_json)
    print_json(shown);
  else
    fmt::print("{} (the server: {})\n", text_of(shown, "wait_point"), text_of(shown, "server"));
  return kExitOk;
}

// --- reload

int run_reload(const Context& context) {
  int code = kExitOk;
  const auto result = ask(context, admin::kVerbReload, code);
  if (!result) return code;
  if (context.as_json) {
    print_json(*result);
  } else {
    for (const json& key : member(*result, "changed"))
      fmt::print("{}: in force now\n", key.get<std::string>());
    for (const json& key : member(*result, "need_restart"))
      fmt::print("{}: at the next start of binlaned\n", key.get<std::string>());
    for (const json& refused : member(*result, "refused"))
      fmt::print(stderr, "binlane: {}: {}\n", text_of(refused, "key"), text_of(refused, "reason"));
  }
  return member(*result, "refused").empty() ? kExitOk : kExitRefused;
}

// --- config

void add_config(VerbOptions& options) {
  options.text("action", g_setting.action, "explain KEY, list, check FILE, or show")
      .required()
      .one_of({"explain", "list", "check", "show"});
  options.text("subject", g_setting.subject,
               "the key, or the file (default: /etc/binlane/binlaned.toml)");
}

json key_json(const KeyDescription& key) {
  return {{"key", key.full_name()},
          {"type", key.type},
          {"unit", key.unit},
          {"range", key.range},
          {"default", key.default_value},
          {"required", key.required},
          {"live", key.live},
          {"why", key.why},
          {"aliases", key.aliases}};
}

int explain_key(const Context& context) {
  const auto found = find_key(g_setting.subject);
  if (const auto* problem = std::get_if<ConfigProblem>(&found)) {
    fmt::print(stderr, "binlane: {}: {}\n", problem->field, problem->message);
    return kExitUsage;
  }
  const auto& key = std::get<KeyDescription>(found);
  if (context.as_json)
    print_json(key_json(key));
  else
    fmt::print("{}", explain_text(key));
  return kExitOk;
}

int list_keys(const Context& context) {
  if (context.as_json) {
    json all = json::array();
    for (const KeyDescription& key : describe_keys()) all.push_back(key_json(key));
    print_json(all);
    return kExitOk;
  }
  std::vector<std::vector<std::string>> rows = {{"NAME", "DEFAULT", "RANGE", "CHANGE"}};
  for (const KeyDescription& key : describe_keys())
    rows.push_back({key.full_name(), key.required ? "(required)" : key.default_value, key.range,
                    key.live ? "live" : "restart"});
  fmt::print("{}", table_text(rows));
  return kExitOk;
}

int check_file(const Context& context) {
  hint_at_other_config(context, g_setting.subject, "binlane config check FILE");
  std::string problem;
  std::vector<std::string> warnings;
  try {
    const Config config = load_config(g_setting.subject);
    warnings = config.warnings;
    if (const auto service = service_identity())
      problem =
          fmt::format("{}", fmt::join(unreadable_for(*service, config, g_setting.subject), "\n"));
  } catch (const StartupError& error) {
    problem = error.what();
  }
  if (context.as_json) {
    print_json({{"ok", problem.empty()}, {"errors", problem}, {"warnings", warnings}});
  } else {
    for (const std::string& warning : warnings) fmt::print("warning: {}\n", warning);
    if (problem.empty())
      fmt::print("{}: no errors\n", g_setting.subject);
    else
      fmt::print(stderr, "{}\n", problem);
  }
  return problem.empty() ? kExitOk : kExitError;
}

int run_config(const Context& context) {
  if (g_setting.action == "list") return list_keys(context);
  if (g_setting.action == "show") {
    int code = kExitOk;
    const auto result = ask(context, admin::kVerbConfig, code);
    if (!result) return code;
    if (context.as_json)
      print_json(*result);
    else
      fmt::print("{}", document_of(*result, "text"));
    return kExitOk;
  }
  if (g_setting.action == "check" && g_setting.subject.empty()) g_setting.subject = kDefaultConfig;
  if (g_setting.subject.empty()) {
    fmt::print(stderr, "binlane: config explain needs a key (binlane config list)\n");
    return kExitUsage;
  }
  return g_setting.action == "check" ? check_file(context) : explain_key(context);
}

constexpr Verb kSettingVerbs[] = {
    {"variables", "list the settings, their values, and where the file differs",
     "binlane variables timeout\nbinlane variables --mysql rpl_semi_sync", add_variables,
     run_variables},
    {"set", "change a setting while the daemon runs, until its next start",
     "binlane set timeout_ms 2000\n"
     "binlane set rpl_semi_sync_source_timeout 2000\n"
     "binlane set fallback block",
     add_set, run_set},
    {"quorum", "show or change the quorum rule",
     "binlane quorum\n"
     "binlane quorum set 'ANY 2 (a, b, c)'\n"
     "binlane quorum set '1 FROM EACH zone'",
     add_quorum, run_quorum},
    {"wait-point", "show or change where commits wait",
     "binlane wait-point\nbinlane wait-point AFTER_COMMIT", add_wait_point, run_wait_point},
    {"reload", "apply from the file what may change while the daemon runs", "binlane reload",
     no_options, run_reload},
    {"config", "explain a key, list all, check a file, or show what is in force",
     "binlane config explain source.timeout_ms\n"
     "binlane config check /etc/binlane/binlaned.toml\n"
     "binlane config show",
     add_config, run_config},
};

}  // namespace

std::span<const Verb> setting_verbs() {
  return kSettingVerbs;
}

}  // namespace binlane::cli
