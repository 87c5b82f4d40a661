// FeedQueries: answers the statements that a MariaDB replica's IO thread sends to its source before
// it asks for the binlog, those that other readers of binlogs send, and the few that people type to
// look whether somebody is there.
//
// It is no SQL parser: it knows these statements by their form, and refuses the rest. Columns are
// named as the client asked for them. What it reads from the archive comes through FeedFacts, so it
// can be tested alone. One thread owns an object; it holds the session's variables.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shim/feed_variables.h"
#include "shim/mysql_packet.h"
#include "shim/sql_text.h"

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

  // A variable that the session has set, by its name in small letters without '@'. One that was set
  // to NULL is none.
  std::optional<std::string> variable(const std::string& name) const;
  // The same as a number; `otherwise` when it is not set, or no number.
  std::uint64_t number(const std::string& name, std::uint64_t otherwise) const;

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
  // Takes an expression off the front.
  Value take_value(SqlText& text, std::string_view sql);
  Value take_gtid_position(SqlText& text, std::string_view sql);
  Value system_variable(const std::string& name) const;

  FeedFacts facts_;
  std::map<std::string, std::string> variables_;
};

}  // namespace binlane
