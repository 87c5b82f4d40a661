// FeedQueries: answers the statements that a MariaDB replica's IO thread sends to its source before
// it asks for the binlog, and the few that people type to look whether somebody is there.
//
// It is no SQL parser: it knows these statements by their form. What it reads from the archive
// comes through FeedFacts, so it can be tested alone. One thread owns an object; it holds the
// session's variables.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shim/mysql_packet.h"

namespace binlane {

// What is presented as the source.
struct SourceFacts {
  std::uint32_t server_id = 0;
  std::uint32_t gtid_domain = 0;
  bool checksums = false;
};

// Nothing as an answer means: not known now; the connection ends and the replica tries again.
struct FeedFacts {
  std::function<std::optional<SourceFacts>()> source;
  // The GTID position at an offset of a binlog file, as text; the inner nothing is SQL's NULL.
  std::function<std::optional<std::optional<std::string>>(const std::string& file,
                                                          std::uint64_t offset)>
      gtid_position;
  // Ends another connection; false when there is none of this id.
  std::function<bool(std::uint64_t connection_id)> kill;
};

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

  explicit FeedQueries(FeedFacts facts) : facts_(std::move(facts)) {}

  FeedAnswer answer(std::string_view sql);

  // A variable that the session has set, by its name in small letters without '@'.
  std::optional<std::string> variable(const std::string& name) const;
  // The same as a number; `otherwise` when it is not set, or no number.
  std::uint64_t number(const std::string& name, std::uint64_t otherwise) const;

 private:
  FeedAnswer set(std::string_view assignments);
  FeedAnswer select(std::string_view expression);
  FeedAnswer show_variables(std::string_view pattern);
  // A global variable's value. `known` is false when there is no such variable here.
  std::optional<std::string> global(const std::string& name, bool& known, bool& unavailable) const;

  FeedFacts facts_;
  std::map<std::string, std::string> variables_;
};

// The server version that the feed presents itself with.
inline constexpr std::string_view kFeedServerVersion = "5.5.5-10.11.0-MariaDB-binlane";

}  // namespace binlane
