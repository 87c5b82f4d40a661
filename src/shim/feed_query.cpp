#include "shim/feed_query.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <utility>

namespace binlane {
namespace {

constexpr std::uint16_t kUnknownVariable = 1193;
constexpr std::uint16_t kNotSupported = 1235;
constexpr std::uint16_t kNoSuchThread = 1094;
constexpr std::uint16_t kTooManyVariables = 1041;

// What clients other than replicas are told about themselves.
constexpr std::string_view kVersion = kFeedServerVersion.substr(sizeof "5.5.5-" - 1);
constexpr std::string_view kVersionComment = "Binlane: the archive of a source, for its replica";

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

std::string lowered(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), lower);
  return result;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// Takes `word`, in any case and followed by no letter, off the front with the blanks around it.
bool take_word(std::string_view& text, std::string_view word) {
  std::string_view rest = trimmed(text);
  if (rest.size() < word.size() || lowered(rest.substr(0, word.size())) != word) return false;
  rest.remove_prefix(word.size());
  const auto is_name = [](char c) {
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  if (!rest.empty() && is_name(word.back()) && is_name(rest.front())) return false;
  text = trimmed(rest);
  return true;
}

// Takes a quoted string off the front.
bool take_quoted(std::string_view& text, std::string& value) {
  if (text.empty() || (text.front() != '\'' && text.front() != '"')) return false;
  const char quote = text.front();
  value.clear();
  for (std::size_t i = 1; i < text.size(); ++i) {
    const bool another = i + 1 < text.size();
    if (text[i] == quote && !(another && text[i + 1] == quote)) {
      text = trimmed(text.substr(i + 1));
      return true;
    }
    // A backslash, and a quote before another one, stand for what follows them.
    if (another && (text[i] == '\\' || text[i] == quote)) ++i;
    value += text[i];
  }
  return false;
}

FeedAnswer failure(std::uint16_t code, std::string state, std::string message) {
  return {.kind = FeedAnswer::Kind::error,
          .columns = {},
          .rows = {},
          .error = {code, std::move(state), std::move(message)}};
}

FeedAnswer not_supported(std::string_view sql) {
  constexpr std::size_t kQuoted = 80;
  return failure(kNotSupported, "42000",
                 fmt::format("This is a binlog feed, not a server; it does not answer '{}'",
                             sql.substr(0, kQuoted)));
}

FeedAnswer one_value(std::string_view column, std::optional<std::string> value) {
  return {.kind = FeedAnswer::Kind::rows,
          .columns = {std::string(column)},
          .rows = {{std::move(value)}},
          .error = {}};
}

FeedAnswer disconnect() {
  return {.kind = FeedAnswer::Kind::disconnect, .columns = {}, .rows = {}, .error = {}};
}

}  // namespace

FeedAnswer FeedQueries::answer(std::string_view sql) {
  sql = trimmed(sql);
  while (!sql.empty() && sql.back() == ';') sql = trimmed(sql.substr(0, sql.size() - 1));
  std::string_view rest = sql;
  if (take_word(rest, "set")) return set(rest);
  if (take_word(rest, "select")) return select(rest);
  if (take_word(rest, "show")) {
    if (!take_word(rest, "global")) take_word(rest, "session");
    if (take_word(rest, "variables") && take_word(rest, "like")) return show_variables(rest);
    return not_supported(sql);
  }
  if (take_word(rest, "kill")) {
    if (!take_word(rest, "hard")) take_word(rest, "soft");
    take_word(rest, "connection");
    std::uint64_t id = 0;
    const char* const end = rest.data() + rest.size();
    const auto [stop, error] = std::from_chars(rest.data(), end, id);
    if (error != std::errc{} || stop != end) return not_supported(sql);
    if (facts_.kill(id)) return {};
    return failure(kNoSuchThread, "HY000", fmt::format("Unknown thread id: {}", id));
  }
  return not_supported(sql);
}

std::optional<std::string> FeedQueries::variable(const std::string& name) const {
  const auto found = variables_.find(name);
  if (found == variables_.end()) return std::nullopt;
  return found->second;
}

std::uint64_t FeedQueries::number(const std::string& name, std::uint64_t otherwise) const {
  const auto text = variable(name);
  if (!text) return otherwise;
  std::uint64_t value = 0;
  const char* const end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, value);
  return error == std::errc{} && stop == end ? value : otherwise;
}

FeedAnswer FeedQueries::set(std::string_view assignments) {
  // "SET NAMES …" and the like change nothing here.
  while (!assignments.empty()) {
    const auto equals = assignments.find('=');
    if (equals == std::string_view::npos) return {};
    std::string_view target = trimmed(assignments.substr(0, equals));
    if (!target.empty() && target.back() == ':')
      target = trimmed(target.substr(0, target.size() - 1));
    std::string name =
        lowered(target.substr(std::min(target.find_first_not_of('@'), target.size())));
    for (const std::string_view scope : {"session ", "session.", "local."}) {
      if (name.starts_with(scope)) name.erase(0, scope.size());
    }
    assignments = trimmed(assignments.substr(equals + 1));
    std::string value;
    if (!take_quoted(assignments, value)) {
      const auto comma = std::min(assignments.find(','), assignments.size());
      std::string_view bare = trimmed(assignments.substr(0, comma));
      assignments = assignments.substr(comma);
      if (take_word(bare, "@@global.")) {
        bool known = true;
        bool unavailable = false;
        const auto global_value = global(lowered(bare), known, unavailable);
        if (unavailable) return disconnect();
        if (!known) {
          return failure(kUnknownVariable, "HY000",
                         fmt::format("Unknown system variable '{}'", bare));
        }
        value = global_value.value_or("");
      } else {
        value = bare;
      }
    }
    if (!variables_.contains(name) && variables_.size() == kMaxVariables) {
      return failure(kTooManyVariables, "HY000", "Too many session variables");
    }
    variables_[name] = value;
    if (!assignments.empty() && assignments.front() == ',') {
      assignments = trimmed(assignments.substr(1));
    } else if (!assignments.empty()) {
      return not_supported(assignments);
    }
  }
  return {};
}

FeedAnswer FeedQueries::select(std::string_view expression) {
  std::string_view rest = expression;
  if (take_word(rest, "unix_timestamp()") && rest.empty()) {
    // The one use of the wall clock: the replica shows by it how far it is behind.
    return one_value(expression, std::to_string(std::time(nullptr)));
  }
  if (take_word(rest, "version()") && rest.empty()) {
    return one_value(expression, std::string(kVersion));
  }
  if (take_word(rest, "1") && rest.empty()) return one_value(expression, "1");
  if (take_word(rest, "binlog_gtid_pos(")) {
    std::string file;
    std::uint64_t offset = 0;
    if (!take_quoted(rest, file) || !take_word(rest, ",")) return not_supported(expression);
    const char* const end = rest.data() + rest.size();
    const auto [stop, error] = std::from_chars(rest.data(), end, offset);
    if (error != std::errc{} || trimmed({stop, static_cast<std::size_t>(end - stop)}) != ")") {
      return not_supported(expression);
    }
    auto position = facts_.gtid_position(file, offset);
    if (!position) return disconnect();
    return one_value(expression, std::move(*position));
  }
  if (take_word(rest, "@@")) {
    if (!take_word(rest, "global.")) take_word(rest, "session.");
    // The console's greeting asks "select @@version_comment limit 1".
    const std::string name = lowered(rest.substr(0, rest.find(' ')));
    bool known = true;
    bool unavailable = false;
    auto value = global(name, known, unavailable);
    if (unavailable) return disconnect();
    if (!known) {
      return failure(kUnknownVariable, "HY000", fmt::format("Unknown system variable '{}'", name));
    }
    return one_value(expression, std::move(value));
  }
  if (take_word(rest, "@")) return one_value(expression, variable(lowered(rest)));
  return not_supported(expression);
}

FeedAnswer FeedQueries::show_variables(std::string_view pattern) {
  std::string name;
  if (!take_quoted(pattern, name) || !pattern.empty()) return not_supported(pattern);
  name = lowered(name);
  FeedAnswer answer{.kind = FeedAnswer::Kind::rows,
                    .columns = {"Variable_name", "Value"},
                    .rows = {},
                    .error = {}};
  bool known = true;
  bool unavailable = false;
  auto value = global(name, known, unavailable);
  if (unavailable) return disconnect();
  // No row is the answer about semi-sync, too: it is not offered.
  if (known) answer.rows.push_back({name, std::move(value)});
  return answer;
}

std::optional<std::string> FeedQueries::global(const std::string& name, bool& known,
                                               bool& unavailable) const {
  known = true;
  unavailable = false;
  if (name == "version") return std::string(kVersion);
  if (name == "version_comment") return std::string(kVersionComment);
  if (name == "server_id" || name == "gtid_domain_id" || name == "binlog_checksum") {
    const auto source = facts_.source();
    if (!source) {
      unavailable = true;
      return std::nullopt;
    }
    if (name == "server_id") return std::to_string(source->server_id);
    if (name == "gtid_domain_id") return std::to_string(source->gtid_domain);
    return source->checksums ? "CRC32" : "NONE";
  }
  known = false;
  return std::nullopt;
}

}  // namespace binlane
