// FeedQueries: answers the statements that a replica's IO thread sends to its source before it asks
// for the binlog, those that other readers of binlogs send, and the few that people type to see
// whether a server answers.
//
// It is no SQL parser: it recognises these statements by their form, and refuses the rest. Columns
// get the names that the client asked for. What it reads from the archive comes through FeedFacts,
// so it can be tested alone. One thread owns an object, which holds the session's variables.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shim/feed/feed_variables.h"
#include "shim/feed/mysql_packet.h"
#include "shim/feed/sql_text.h"

namespace binlane {

struct FeedAnswer {
  enum class Kind : std::uint8_t { ok, rows, error, disconnect };
  Kind kind = Kind::ok;
  std::vector<std::string> columns;
  std::vector<mysql::Row> rows;
  mysql::ErrorPacket error;
};

class FeedQueries {
 public:
  static constexpr std::size_t kMaxVariables = 64;
  static constexpr std::size_t kMaxColumns = 64;

  explicit FeedQueries(FeedFacts facts) : facts_(std::move(facts)) {}

  FeedAnswer answer(std::string_view sql);
  void forget_variables() { variables_.clear(); }

  // A variable that the session has set, by its name in small letters without '@'. A variable that
  // was set to NULL counts as not set.
  std::optional<std::string> variable(const std::string& name) const;
  // The variable that replicas of MySQL call "source_<name>" now and, as MariaDB's still do, call
  // "master_<name>": whichever is set.
  std::optional<std::string> source_variable(const std::string& name) const;
  // The same as a number; `otherwise` if it is not set, or no number.
  std::uint64_t number(const std::string& name, std::uint64_t otherwise) const;
  std::uint64_t source_number(const std::string& name, std::uint64_t otherwise) const;

 private:
  // A value, or the answer to give instead of it.
  struct Value {
    std::optional<std::string> value;
    std::optional<FeedAnswer> instead;
  };

  FeedAnswer set(SqlText text, std::string_view sql);
  FeedAnswer select(SqlText text, std::string_view sql);
  FeedAnswer show(SqlText text, std::string_view sql);
  FeedAnswer show_variables(SqlText text, std::string_view sql);
  FeedAnswer show_binlogs(bool newest_only);
  FeedAnswer kill(SqlText text, std::string_view sql);
  // Takes an expression from the front.
  Value take_value(SqlText& text, std::string_view sql);
  Value take_gtid_position(SqlText& text, std::string_view sql);
  Value system_variable(const std::string& name) const;
  const FeedDialogue& dialogue() const noexcept { return *facts_.greeting.dialogue; }

  FeedFacts facts_;
  std::map<std::string, std::string> variables_;
};

}  // namespace binlane
