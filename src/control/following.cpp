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

}  // namespace

std::string following_problem(const QueryResult& slave_status, std::uint16_t feed_port) {
  if (!slave_status.ok()) return "SHOW SLAVE STATUS is refused: " + to_string(slave_status.error);
  if (slave_status.rows.empty()) return "the server follows nobody: CHANGE MASTER was undone";
  const std::string port = value_of(slave_status, "Master_Port");
  if (port != std::to_string(feed_port))
    return fmt::format("the server follows {}:{}, and this host's feed is at 127.0.0.1:{}",
                       value_of(slave_status, "Master_Host"), port, feed_port);
  const std::string running = value_of(slave_status, "Slave_IO_Running");
  if (running == "Yes") return {};
  const std::string error = value_of(slave_status, "Last_IO_Error");
  return fmt::format(
      "the server's IO thread to connect to this host's feed (Slave_IO_Running is {}{})", running,
      error.empty() ? "" : ": " + error);
}

}  // namespace binlane
