#include "control/failover/following.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace binlane {
namespace {

// The first row's value; empty for NULL, and if there is no such column.
std::string value_of(const QueryResult& result, std::string_view column) {
  const auto found = std::find(result.columns.begin(), result.columns.end(), column);
  if (found == result.columns.end() || result.rows.empty()) return {};
  const auto index = static_cast<std::size_t>(found - result.columns.begin());
  const SqlRow& row = result.rows.front();
  return index < row.size() ? row[index].value_or("") : std::string();
}

// "Slave_IO_Running is No: error connecting …"; empty while that thread runs.
std::string stopped_thread(const QueryResult& status, std::string_view running_column,
                           std::string_view error_column) {
  const std::string running = value_of(status, running_column);
  if (running == "Yes") return {};
  const std::string error = value_of(status, error_column);
  return fmt::format("{} is {}{}", running_column, running, error.empty() ? "" : ": " + error);
}

std::string stopped_io_thread(const ServerWords& words, const QueryResult& status) {
  return stopped_thread(status, words.io_running, "Last_IO_Error");
}

// What the server follows instead of the feed; empty if it follows the feed.
std::string other_source(const ServerWords& words, const QueryResult& status,
                         std::uint16_t feed_port) {
  if (!status.ok())
    return fmt::format("the server refuses {}: {}", words.show_replica_status,
                       to_string(status.error));
  if (status.rows.empty())
    return fmt::format("the server follows no source; somebody has undone {} …",
                       words.change_source);
  const std::string port = value_of(status, words.source_port);
  if (port == std::to_string(feed_port)) return {};
  return fmt::format("the server follows {}:{}, but this host's feed is at 127.0.0.1:{}",
                     value_of(status, words.source_host), port, feed_port);
}

}  // namespace

FeedAddress feed_address(const ReplicaConfig& replica) {
  return {replica.feed_listen.udp_port, replica.feed_user, replica.feed_password};
}

std::string following_problem(const ServerWords& words, const QueryResult& status,
                              std::uint16_t feed_port) {
  std::string problem = other_source(words, status, feed_port);
  if (!problem.empty()) return fmt::format("the server to follow this host's feed ({})", problem);
  problem = stopped_io_thread(words, status);
  if (problem.empty()) return {};
  return fmt::format("the server's IO thread to connect to this host's feed ({})", problem);
}

std::uint64_t serving_connection(const FeedStatus& feed, std::uint32_t server_id) {
  for (const FeedClientStatus& client : feed.clients) {
    // What a stream before has, or what the archive lacks, says nothing of the present stream.
    const bool served =
        client.dumping && !client.sealed && !client.ahead && !client.position.is_null();
    if (served && client.server_id == server_id) return client.connection_id;
  }
  return 0;
}

std::string replication_problem(const ServerWords& words, const QueryResult& status,
                                std::uint16_t feed_port) {
  std::string problem = other_source(words, status, feed_port);
  if (problem.empty()) problem = stopped_io_thread(words, status);
  if (problem.empty()) problem = stopped_thread(status, words.sql_running, "Last_SQL_Error");
  if (problem.empty()) return {};
  return fmt::format("{} ({} and {} there)", problem, words.show_replica_status,
                     words.start_replica);
}

}  // namespace binlane
