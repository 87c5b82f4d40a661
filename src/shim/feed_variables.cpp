#include "shim/feed_variables.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "shim/sql_text.h"

namespace binlane {
namespace {

struct Fixed {
  std::string_view name;
  std::string_view value;
};

// What connectors ask of any server before they begin. Nothing here depends on the source.
constexpr auto kFixed = std::to_array<Fixed>({
    {"auto_increment_increment", "1"},
    {"autocommit", "1"},
    {"character_set_client", "utf8mb3"},
    {"character_set_connection", "utf8mb3"},
    {"character_set_results", "utf8mb3"},
    {"character_set_server", "utf8mb3"},
    {"collation_connection", "utf8mb3_general_ci"},
    {"collation_server", "utf8mb3_general_ci"},
    {"init_connect", ""},
    {"interactive_timeout", "300"},
    {"log_bin", "ON"},
    {"lower_case_table_names", "0"},
    {"max_allowed_packet", "4194304"},
    {"net_buffer_length", "16384"},
    {"net_write_timeout", "60"},
    {"performance_schema", "OFF"},
    {"read_only", "ON"},
    {"sql_mode", ""},
    {"system_time_zone", "UTC"},
    {"time_zone", "SYSTEM"},
    {"transaction_isolation", "REPEATABLE-READ"},
    {"tx_isolation", "REPEATABLE-READ"},
    {"version", kFeedVersion},
    {"version_comment", "Binlane: the archive of a source, for its replica"},
    {"wait_timeout", "300"},
});
// What the archive tells of its source.
constexpr auto kOfSource = std::to_array<std::string_view>(
    {"binlog_checksum", "gtid_binlog_pos", "gtid_current_pos", "gtid_domain_id", "server_id"});

// SQL's LIKE: % stands for anything, _ for one character, a backslash before one of them for
// itself.
bool is_like(std::string_view text, std::string_view pattern) {
  // Where to go on after the last %, when what follows it does not match.
  std::size_t t = 0;
  std::size_t p = 0;
  std::size_t resume_text = std::string_view::npos;
  std::size_t resume_pattern = 0;
  while (t < text.size()) {
    const bool escaped = p + 1 < pattern.size() && pattern[p] == '\\';
    const char wanted = p < pattern.size() ? pattern[p + (escaped ? 1 : 0)] : '\0';
    if (p < pattern.size() && wanted == '%' && !escaped) {
      resume_pattern = ++p;
      resume_text = t;
    } else if (p < pattern.size() && ((wanted == '_' && !escaped) || wanted == text[t])) {
      p += escaped ? 2 : 1;
      ++t;
    } else if (resume_text != std::string_view::npos) {
      p = resume_pattern;
      t = ++resume_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '%') ++p;
  return p == pattern.size();
}

FeedVariable known(std::string value) {
  return {FeedVariable::State::known, std::move(value)};
}

}  // namespace

FeedVariable feed_variable(const FeedFacts& facts, const std::string& name) {
  for (const Fixed& fixed : kFixed) {
    if (fixed.name == name) return known(std::string(fixed.value));
  }
  if (std::ranges::find(kOfSource, name) == kOfSource.end()) return {};
  if (name == "gtid_binlog_pos" || name == "gtid_current_pos") {
    const auto files = facts.files();
    if (!files || files->empty()) return {FeedVariable::State::unavailable, std::nullopt};
    const auto position = facts.gtid_position(files->back().name, files->back().size);
    if (!position) return {FeedVariable::State::unavailable, std::nullopt};
    return {FeedVariable::State::known, *position};
  }
  const auto source = facts.source();
  if (!source) return {FeedVariable::State::unavailable, std::nullopt};
  if (name == "server_id") return known(std::to_string(source->server_id));
  if (name == "gtid_domain_id") return known(std::to_string(source->gtid_domain));
  return known(source->checksums ? "CRC32" : "NONE");
}

std::vector<std::string> feed_variables_like(std::string_view pattern) {
  const std::string wanted = lowered(pattern);
  std::vector<std::string> names;
  for (const Fixed& fixed : kFixed) {
    if (is_like(fixed.name, wanted)) names.emplace_back(fixed.name);
  }
  for (const std::string_view name : kOfSource) {
    if (is_like(name, wanted)) names.emplace_back(name);
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace binlane
