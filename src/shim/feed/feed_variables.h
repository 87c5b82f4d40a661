// FeedVariables: the system variables that the feed answers for. It is no server: it knows what the
// archive tells of its source, and what a client needs to hear before it can ask for a binlog.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace binlane {

// What is presented as the source.
struct SourceFacts {
  std::uint32_t server_id = 0;
  std::uint32_t gtid_domain = 0;
  bool checksums = false;
};

// A file of the archive, up to what may be served of it.
struct ServedFile {
  std::string name;
  std::uint64_t size = 0;
};

// Nothing as an answer means: not known now; the connection ends and the replica tries again.
struct FeedFacts {
  std::function<std::optional<SourceFacts>()> source;
  // The GTID position at an offset of a binlog file, as text; the inner nothing is SQL's NULL.
  std::function<std::optional<std::optional<std::string>>(const std::string& file,
                                                          std::uint64_t offset)>
      gtid_position;
  // The files that may be served, oldest first.
  std::function<std::optional<std::vector<ServedFile>>()> files;
  // Ends another connection; false when there is none of this id.
  std::function<bool(std::uint64_t connection_id)> kill;
  std::uint64_t connection_id = 0;
};

struct FeedVariable {
  enum class State : std::uint8_t { known, unknown, unavailable };
  State state = State::unknown;
  std::optional<std::string> value;
};
// By its name in small letters.
FeedVariable feed_variable(const FeedFacts& facts, const std::string& name);
// The names that match SQL's LIKE pattern, in order.
std::vector<std::string> feed_variables_like(std::string_view pattern);

// The server version that the feed presents itself with.
inline constexpr std::string_view kFeedServerVersion = "5.5.5-10.11.0-MariaDB-binlane";
// The same as clients see it that are not told by the greeting.
inline constexpr std::string_view kFeedVersion = kFeedServerVersion.substr(sizeof "5.5.5-" - 1);

}  // namespace binlane
