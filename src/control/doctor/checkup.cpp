#include "control/doctor/checkup.h"

#include <fmt/format.h>

#include <optional>

#include "base/error.h"
#include "control/failover/host_role.h"
#include "control/status/problems.h"
#include "storage/durable_record.h"

namespace binlane {

const char* to_string(CheckSeverity severity) noexcept {
  switch (severity) {
    case CheckSeverity::fine:
      return "ok";
    case CheckSeverity::warning:
      return "warning";
    case CheckSeverity::fault:
      return "fault";
  }
  return "?";
}

namespace {

// By its record. A host that has none yet is what its configuration says. Nothing while a daemon
// holds the record, because that daemon reports it itself.
std::optional<RoleState> role_on_record(const Config& config) {
  const std::string path = config.data_dir + "/role.state";
  RoleState state;
  state.role = config.source->standby ? HostRole::standby : HostRole::source;
  try {
    if (DurableRecord::exists(path)) state = RoleFile(path, state.role).state();
  } catch (const StartupError&) {
    return std::nullopt;
  }
  return state;
}

bool is_fenced(const nlohmann::json& status) {
  const nlohmann::json source = status.value("source", nlohmann::json::object());
  return source.is_object() && source.value("role", "") == to_string(HostRole::fenced);
}

}  // namespace

Findings check_role(const RoleState& state) {
  Findings found;
  if (state.cut.under_way())
    found.push_back({CheckSeverity::fault, "role",
                     fmt::format("the cut of this host's binlogs at {} is not finished: if the "
                                 "server is started now, its recovery commits what was to be cut",
                                 to_string(state.cut.at)),
                     "keep the server stopped and start binlaned, which finishes the cut; then "
                     "start the server, and run binlane rejoin"});
  // It remains on the record of a host that was promoted meanwhile, and means nothing there.
  if (state.role == HostRole::standby && state.rejoining)
    found.push_back(
        {CheckSeverity::warning, "role",
         "this host's rejoin is not done, because its server did not follow the feed yet",
         "start binlaned and the server, and read binlane status"});
  return found;
}

Findings check_daemon(const nlohmann::json& status) {
  Findings found;
  for (const nlohmann::json& problem : status.value("problems", nlohmann::json::array())) {
    const bool fault = problem.value("severity", "") == to_string(Severity::fault);
    found.push_back({fault ? CheckSeverity::fault : CheckSeverity::warning, "binlaned",
                     problem.value("text", ""),
                     fmt::format("OPERATIONS, Problems: {}", problem.value("code", ""))});
  }
  if (found.empty())
    found.push_back({CheckSeverity::fine, "binlaned", "it runs, and reports no problem", ""});
  return found;
}

Findings check_up(const Config& config, const nlohmann::json& status) {
  Findings all;
  const auto add = [&all](Findings found) {
    all.insert(all.end(), std::make_move_iterator(found.begin()),
               std::make_move_iterator(found.end()));
  };
  for (const std::string& warning : config.warnings)
    all.push_back({CheckSeverity::warning, "config", warning, ""});
  const bool runs = status.is_object();
  if (runs) add(check_daemon(status));
  if (config.source) {
    const auto role = role_on_record(config);
    const bool fenced = role ? role->role == HostRole::fenced : runs && is_fenced(status);
    add(check_quorum(*config.source));
    add(check_server(config, fenced));
    if (role) add(check_role(*role));
    const bool is_source = role && role->role == HostRole::source;
    if (config.replica) add(check_standby_server(config, is_source));
  }
  if (config.replica) add(check_disk(config));
  add(check_host(config));
  return all;
}

}  // namespace binlane
