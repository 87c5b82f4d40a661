// FeedVariables: the system variables that the feed answers for. The feed is no server: it knows
// what the archive reveals about its source, and what a client needs to know before it can ask for
// a binlog.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/uuid.h"
#include "shim/binlog/gtid_set.h"
#include "shim/feed/feed_dialogue.h"

namespace binlane {

// What is presented as the source.
struct SourceFacts {
  std::uint32_t server_id = 0;
  std::uint32_t gtid_domain = 0;  // MariaDB
  bool checksums = false;
  GtidGrammar grammar = GtidGrammar::mariadb;
  Uuid server_uuid{};      // MySQL; the real one is in no binlog
  bool anonymous = false;  // MySQL: its newest file's groups have no GTIDs
};

// MySQL's @@server_uuid of a feed, which a replica takes for its source's: made from the origin of
// the stream that it serves, and so the same on every host, and no real server's.
Uuid feed_server_uuid(const Uuid& origin);

// A set that MySQL clients ask for: all transactions in the archive, or those before its oldest
// file.
enum class FeedSet : std::uint8_t { executed, purged };

// A file of the archive, up to what may be served of it.
struct ServedFile {
  std::string name;
  std::uint64_t size = 0;
};

// If an answer is nothing, it is not known now: the connection ends and the replica tries again.
struct FeedFacts {
  std::function<std::optional<SourceFacts>()> source;
  // The GTID position at an offset of a binlog file, as text; the inner nothing is SQL's NULL.
  std::function<std::optional<std::optional<std::string>>(const std::string& file,
                                                          std::uint64_t offset)>
      gtid_position;
  // MySQL's, as text.
  std::function<std::optional<std::string>(FeedSet)> gtid_set;
  // The files that may be served, oldest first.
  std::function<std::optional<std::vector<ServedFile>>()> files;
  // Ends another connection; false if there is none of this id.
  std::function<bool(std::uint64_t connection_id)> kill;
  std::uint64_t connection_id = 0;
  FeedGreeting greeting;
};

struct FeedVariable {
  enum class State : std::uint8_t { known, unknown, unavailable };
  State state = State::unknown;
  std::optional<std::string> value;
};
// By its name in small letters.
FeedVariable feed_variable(const FeedFacts& facts, const std::string& name);
// The names that match SQL's LIKE pattern, in order.
std::vector<std::string> feed_variables_like(const FeedDialogue& dialogue,
                                             std::string_view pattern);

}  // namespace binlane
