#include "control/cli/mysql_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "control/cli/ask.h"

namespace binlane::cli {
namespace {

// Words that differ between the two generations.
constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kWords = {
    {{"master", "source"}, {"slave", "replica"}}};

std::string in_words(std::string name, bool modern) {
  for (const auto& [old_word, new_word] : kWords) {
    const std::string_view from = modern ? old_word : new_word;
    const std::string_view to = modern ? new_word : old_word;
    const auto at = name.find(from);
    if (at != std::string::npos) name.replace(at, from.size(), to);
  }
  return name;
}

NamedValues in_generations(const NamedValues& rows, NameGeneration generation) {
  NamedValues all;
  for (const bool modern : {false, true}) {
    if (generation == (modern ? NameGeneration::master : NameGeneration::source)) continue;
    for (const auto& [name, value] : rows) all.emplace_back(in_words(name, modern), value);
  }
  std::sort(all.begin(), all.end());
  return all;
}

const char* on_off(bool on) {
  return on ? "ON" : "OFF";
}

}  // namespace

NameGeneration parse_name_generation(const std::string& text) {
  if (text == "source") return NameGeneration::source;
  return text == "master" ? NameGeneration::master : NameGeneration::both;
}

NamedValues mysql_status_rows(const json& status, NameGeneration generation) {
  NamedValues rows;
  const json& values = member(member(member(status, "source"), "server"), "status_values");
  if (values.is_object()) {
    for (const auto& [name, value] : values.items())
      rows.emplace_back(name, value.is_string() ? value.get<std::string>() : value.dump());
  }
  return in_generations(rows, generation);
}

NamedValues mysql_variable_rows(const json& status, NameGeneration generation) {
  const json& source = member(status, "source");
  const json& server = member(source, "server");
  const NamedValues rows = {
      {"rpl_semi_sync_master_enabled", on_off(flag_of(server, "enabled"))},
      {"rpl_semi_sync_master_timeout", fmt::format("{}", count_of(source, "timeout_ms"))},
      {"rpl_semi_sync_master_wait_no_slave", on_off(flag_of(server, "wait_no_replica"))},
      {"rpl_semi_sync_master_wait_point", text_of(server, "wait_point")},
  };
  return in_generations(rows, generation);
}

std::string mysql_table(const NamedValues& rows) {
  if (rows.empty()) return "Empty set\n";
  constexpr std::string_view kName = "Variable_name";
  constexpr std::string_view kValue = "Value";
  std::size_t name_width = kName.size();
  std::size_t value_width = kValue.size();
  for (const auto& [name, value] : rows) {
    name_width = std::max(name_width, name.size());
    value_width = std::max(value_width, value.size());
  }
  const std::string rule =
      fmt::format("+{:-<{}}+{:-<{}}+\n", "", name_width + 2, "", value_width + 2);
  std::string text =
      rule + fmt::format("| {:<{}} | {:<{}} |\n", kName, name_width, kValue, value_width) + rule;
  for (const auto& [name, value] : rows)
    text += fmt::format("| {:<{}} | {:<{}} |\n", name, name_width, value, value_width);
  return text + rule;
}

}  // namespace binlane::cli
