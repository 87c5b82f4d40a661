#include "control/following.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace binlane {
namespace {

// The first row's value; empty for NULL, and where there is no such column.
std::string value_of(const QueryResult& result, std::string_view column) {
  const auto found = std::find(result.columns.begin(), result.columns.end(), column);
  if (found == result.columns.end() || result.rows.empty()) return {};
  const auto index = static_cast<std::size_t>(found - result.columns.begin());
  const SqlRow& row = result.rows.front();
  return index < row.size() ? row[index].value_or("") : std::string();
}

// "Slave_IO_Running is No: error connecting …"; empty while that thread runs.
std::string stopped_thread(const QueryResult& slave_status, std::string_view running_column,
                           std::string_view error_column) {
  const std::string running = value_of(slave_status, running_column);
  if (running == "Yes") return {};
  const std::string error = value_of(slave_status, error_column);
  return fmt::format("{} is {}{}", running_column, running, error.empty() ? "" : ": " + error);
}

std::string stopped_io_thread(const QueryResult& slave_status) {
  return stopped_thread(slave_status, "Slave_IO_Running", "Last_IO_Error");
}

// What it follows instead of the feed; empty where it is the feed.
std::string other_master(const QueryResult& slave_status, std::uint16_t feed_port) {
  if (!slave_status.ok()) return "SHOW SLAVE STATUS is refused: " + to_string(slave_status.error);
  if (slave_status.rows.empty()) return "the server follows nobody: CHANGE MASTER was undone";
  const std::string port = value_of(slave_status, "Master_Port");
  if (port == std::to_string(feed_port)) return {};
  return fmt::format("the server follows {}:{}, and this host's feed is at 127.0.0.1:{}",
                     value_of(slave_status, "Master_Host"), port, feed_port);
}

}  // namespace

std::string following_problem(const QueryResult& slave_status, std::uint16_t feed_port) {
  std::string problem = other_master(slave_status, feed_port);
  if (!problem.empty()) return problem;
  problem = stopped_io_thread(slave_status);
  if (problem.empty()) return {};
  return fmt::format("the server's IO thread to connect to this host's feed ({})", problem);
}

std::string replication_problem(const QueryResult& slave_status, std::uint16_t feed_port) {
  std::string problem = other_master(slave_status, feed_port);
  if (problem.empty()) problem = stopped_io_thread(slave_status);
  if (problem.empty())
    problem = stopped_thread(slave_status, "Slave_SQL_Running", "Last_SQL_Error");
  return problem;
}

}  // namespace binlane
