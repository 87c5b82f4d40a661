#include "shim/feed/feed_query.h"

#include <fmt/format.h>

#include <ctime>
#include <span>
#include <utility>

#include "base/number_text.h"
#include "shim/feed/gtid_filter.h"

namespace binlane {
namespace {

constexpr std::uint16_t kTooManyVariables = 1041;
constexpr std::uint16_t kEmptyQuery = 1065;
constexpr std::uint16_t kNoSuchThread = 1094;
constexpr std::uint16_t kUnknownVariable = 1193;
constexpr std::uint16_t kNoPrivilege = 1227;
constexpr std::uint16_t kNotSupported = 1235;

// How much of a client's text an answer repeats.
constexpr std::size_t kQuoted = 80;

FeedAnswer failure(std::uint16_t code, std::string state, std::string message) {
  return {.kind = FeedAnswer::Kind::error,
          .columns = {},
          .rows = {},
          .error = {code, std::move(state), std::move(message)}};
}

FeedAnswer not_supported(std::string_view sql) {
  return failure(kNotSupported, "42000",
                 fmt::format("This is a binlog feed, not a server; it does not answer '{}'",
                             mysql::shown(trimmed(sql), kQuoted)));
}

FeedAnswer unknown_variable(std::string_view name) {
  return failure(kUnknownVariable, "HY000",
                 fmt::format("Unknown system variable '{}'", mysql::shown(name, kQuoted)));
}

// The feed has nothing that a client could change for others. A server gives this answer to an
// account that may not.
FeedAnswer no_privilege(const FeedDialogue& dialogue) {
  return failure(kNoPrivilege, "42000", std::string(dialogue.no_privilege));
}

FeedAnswer disconnect() {
  return {.kind = FeedAnswer::Kind::disconnect, .columns = {}, .rows = {}, .error = {}};
}

FeedAnswer table(std::vector<std::string> columns) {
  return {.kind = FeedAnswer::Kind::rows, .columns = std::move(columns), .rows = {}, .error = {}};
}

FeedAnswer table_of(std::span<const std::string_view> columns) {
  return table(std::vector<std::string>(columns.begin(), columns.end()));
}

std::uint64_t to_number(const std::optional<std::string>& text, std::uint64_t otherwise) {
  return text ? parse_number<std::uint64_t>(*text).value_or(otherwise) : otherwise;
}

}  // namespace

FeedAnswer FeedQueries::answer(std::string_view sql) {
  SqlText text(sql);
  if (text.empty()) return failure(kEmptyQuery, "42000", "Query was empty");
  if (text.take("set")) return set(text, sql);
  if (text.take("select")) return select(text, sql);
  if (text.take("show")) return show(text, sql);
  if (text.take("kill")) return kill(text, sql);
  // Nothing here is transactional.
  for (const std::string_view word : {"begin", "commit", "rollback", "start transaction"}) {
    if (text.take(word)) return text.empty() ? FeedAnswer{} : not_supported(sql);
  }
  return not_supported(sql);
}

std::optional<std::string> FeedQueries::variable(const std::string& name) const {
  const auto found = variables_.find(name);
  if (found == variables_.end()) return std::nullopt;
  return found->second;
}

std::optional<std::string> FeedQueries::source_variable(const std::string& name) const {
  auto value = variable("source_" + name);
  return value ? value : variable("master_" + name);
}

std::uint64_t FeedQueries::number(const std::string& name, std::uint64_t otherwise) const {
  return to_number(variable(name), otherwise);
}

std::uint64_t FeedQueries::source_number(const std::string& name, std::uint64_t otherwise) const {
  return to_number(source_variable(name), otherwise);
}

FeedAnswer FeedQueries::kill(SqlText text, std::string_view sql) {
  if (!text.take("hard")) text.take("soft");
  text.take("connection");
  const auto id = text.take_number();
  if (!id || !text.empty()) return not_supported(sql);
  if (facts_.kill(*id)) return {};
  return failure(kNoSuchThread, "HY000", fmt::format("Unknown thread id: {}", *id));
}

FeedAnswer FeedQueries::set(SqlText text, std::string_view sql) {
  // They change nothing here.
  for (const std::string_view words : {"names", "character set", "charset", "transaction"}) {
    if (text.take(words)) return {};
  }
  if (text.take_words({"session", "transaction"})) return {};
  // All of it has to be right before any of it counts.
  auto variables = variables_;
  do {
    if (text.take("global") || text.take("persist") || text.take("@@global.")) {
      return no_privilege(dialogue());
    }
    if (!text.take("session") && !text.take("local") && !text.take("@@session.") &&
        !text.take("@@local.") && !text.take("@@"))
      text.take("@");
    const auto name = text.take_name();
    if (!name || (!text.take(":=") && !text.take("="))) return not_supported(sql);
    if (lowered(*name) == dialogue().only_they_set)
      return failure(kFatalDumpError, "HY000", std::string(dialogue().other_kind));
    Value value = take_value(text, sql);
    // A bare word, as in SET sql_mode=ANSI.
    if (value.instead && value.instead->kind == FeedAnswer::Kind::error) {
      if (value.instead->error.code != kNotSupported) return *std::move(value.instead);
      auto word = text.take_name();
      if (!word) return not_supported(sql);
      value = {std::move(word), std::nullopt};
    }
    if (value.instead) return *std::move(value.instead);
    if (!value.value) {
      variables.erase(lowered(*name));
      continue;
    }
    if (!variables.contains(lowered(*name)) && variables.size() == kMaxVariables)
      return failure(kTooManyVariables, "HY000", "Too many session variables");
    variables[lowered(*name)] = *std::move(value.value);
  } while (text.take(","));
  if (!text.empty()) return not_supported(sql);
  variables_ = std::move(variables);
  return {};
}

FeedAnswer FeedQueries::select(SqlText text, std::string_view sql) {
  FeedAnswer answer = table({});
  answer.rows.emplace_back();
  do {
    if (answer.columns.size() == kMaxColumns) return not_supported(sql);
    const std::string_view before = text.rest();
    Value value = take_value(text, sql);
    if (value.instead) return *std::move(value.instead);
    std::string column(text.since(before));
    // A server names the column of a string by what the string says.
    if (!before.empty() && (before.front() == '\'' || before.front() == '"') && value.value)
      column = *value.value;
    const bool named = text.take("as");
    const std::string_view ahead = text.rest();
    SqlText probe(ahead);
    const bool clause = probe.take("limit") || probe.take("from");
    if (named || (!clause && !ahead.empty() && ahead.front() != ',')) {
      auto alias = text.take_quoted();
      if (!alias) alias = text.take_name();
      if (!alias) return not_supported(sql);
      column = *std::move(alias);
    }
    answer.columns.push_back(std::move(column));
    answer.rows[0].push_back(std::move(value.value));
  } while (text.take(","));
  text.take_words({"from", "dual"});
  if (text.take("limit") && text.take_number() == std::uint64_t{0}) answer.rows.clear();
  if (!text.empty()) return not_supported(sql);
  return answer;
}

FeedQueries::Value FeedQueries::take_value(SqlText& text, std::string_view sql) {
  if (auto quoted = text.take_quoted()) return {std::move(quoted), std::nullopt};
  if (const auto number = text.take_number()) return {std::to_string(*number), std::nullopt};
  if (text.take("null")) return {};
  if (text.take_words({"unix_timestamp", "(", ")"})) {
    // The only use of the wall clock: the replica computes from it how much it lags.
    return {std::to_string(std::time(nullptr)), std::nullopt};
  }
  if (text.take_words({"version", "(", ")"}))
    return {std::string(facts_.greeting.version()), std::nullopt};
  if (text.take_words({"connection_id", "(", ")"}))
    return {std::to_string(facts_.connection_id), std::nullopt};
  if (text.take_words({"database", "(", ")"})) return {};
  if (text.take_words({"binlog_gtid_pos", "("})) return take_gtid_position(text, sql);
  if (text.take("@@")) {
    if (!text.take("global.") && !text.take("session.")) text.take("local.");
    const auto name = text.take_name();
    if (!name) return {std::nullopt, not_supported(sql)};
    Value value = system_variable(*name);
    // A switch is a number here, and a word in SHOW VARIABLES. MySQL's gtid_mode is no switch.
    if (lowered(*name) != "gtid_mode" && value.value == "ON") value.value = "1";
    if (lowered(*name) != "gtid_mode" && value.value == "OFF") value.value = "0";
    return value;
  }
  if (text.take("@")) {
    const auto name = text.take_name();
    if (name) return {variable(lowered(*name)), std::nullopt};
  }
  return {std::nullopt, not_supported(sql)};
}

FeedQueries::Value FeedQueries::take_gtid_position(SqlText& text, std::string_view sql) {
  const auto file = text.take_quoted();
  if (!file || !text.take(",")) return {std::nullopt, not_supported(sql)};
  const auto offset = text.take_number();
  if (!offset || !text.take(")")) return {std::nullopt, not_supported(sql)};
  auto position = facts_.gtid_position(*file, *offset);
  if (!position) return {std::nullopt, disconnect()};
  return {std::move(*position), std::nullopt};
}

FeedQueries::Value FeedQueries::system_variable(const std::string& name) const {
  FeedVariable found = feed_variable(facts_, lowered(name));
  switch (found.state) {
    case FeedVariable::State::known:
      return {std::move(found.value), std::nullopt};
    case FeedVariable::State::unavailable:
      return {std::nullopt, disconnect()};
    case FeedVariable::State::unknown:
      break;
  }
  return {std::nullopt, unknown_variable(name)};
}

FeedAnswer FeedQueries::show(SqlText text, std::string_view sql) {
  const bool scoped = text.take("global") || text.take("session") || text.take("local");
  if (text.take("variables")) return show_variables(text, sql);
  if (text.take("status")) return table({"Variable_name", "Value"});
  if (scoped) return not_supported(sql);
  if (text.take_words({"master", "status"}) || text.take_words({"binlog", "status"}) ||
      text.take_words({"binary", "log", "status"}))
    return text.empty() ? show_binlogs(true) : not_supported(sql);
  if (text.take_words({"binary", "logs"}) || text.take_words({"master", "logs"}))
    return text.empty() ? show_binlogs(false) : not_supported(sql);
  if (text.take("warnings") || text.take("errors")) return table({"Level", "Code", "Message"});
  if (text.take_words({"slave", "hosts"}) || text.take_words({"replica", "hosts"}) ||
      text.take("replicas"))
    return table_of(dialogue().replicas_columns);
  return not_supported(sql);
}

FeedAnswer FeedQueries::show_variables(SqlText text, std::string_view sql) {
  std::string pattern = "%";
  const bool like = text.take("like");
  const bool where = !like && text.take_words({"where", "variable_name", "="});
  if (like || where) {
    auto quoted = text.take_quoted();
    if (!quoted) return not_supported(sql);
    pattern = *std::move(quoted);
  }
  if (!text.empty()) return not_supported(sql);
  FeedAnswer answer = table({"Variable_name", "Value"});
  for (const std::string& name : feed_variables_like(dialogue(), pattern)) {
    if (where && name != lowered(pattern)) continue;
    Value value = system_variable(name);
    if (value.instead) return *std::move(value.instead);
    answer.rows.push_back({name, std::move(value.value)});
  }
  // An answer without a row also covers semi-sync, which is not offered.
  return answer;
}

FeedAnswer FeedQueries::show_binlogs(bool newest_only) {
  const auto files = facts_.files();
  if (!files) return disconnect();
  const bool has_sets = dialogue().grammar == GtidGrammar::mysql;
  FeedAnswer answer = table_of(newest_only ? dialogue().status_columns : dialogue().binlog_columns);
  for (const ServedFile& file : *files) {
    if (newest_only && &file != &files->back()) continue;
    mysql::Row row{file.name, std::to_string(file.size)};
    // What the columns after these say of every file of an archive, and of its end.
    row.resize(answer.columns.size(), newest_only ? "" : "No");
    answer.rows.push_back(std::move(row));
  }
  if (newest_only && has_sets && !answer.rows.empty()) {
    auto executed = facts_.gtid_set(FeedSet::executed);
    if (!executed) return disconnect();
    answer.rows.back().back() = *std::move(executed);
  }
  return answer;
}

}  // namespace binlane
