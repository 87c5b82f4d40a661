// The server's settings, for `binlane doctor`.
#include <fmt/format.h>

#include "control/config_value.h"
#include "control/doctor/checkup.h"
#include "shim/server_connection.h"
#include "shim/server_facts.h"
#include "shim/standby_check.h"

namespace binlane {

Findings check_server(const SourceConfig& source) {
  Findings found;
  ServerConnection connection(
      {source.server_socket, source.server_user, source.server_password.reveal()});
  const SqlError error = connection.connect();
  if (!error.ok()) {
    found.push_back(
        {Severity::fault, "server",
         fmt::format("cannot connect to {}: {}", source.server_socket, to_string(error)),
         "start the server, or mend the account"});
    return found;
  }
  const ServerFactsResult facts = read_server_facts(connection);
  if (!facts.ok()) {
    found.push_back({Severity::fault, "server",
                     fmt::format("its settings cannot be read: {}", to_string(facts.error)),
                     "give the account the privileges that docs/OPERATIONS.md lists"});
    return found;
  }
  const SourceCheck check =
      check_source(facts.facts, static_cast<std::uint32_t>(source.acker_server_id));
  for (const Finding& refusal : check.refusals)
    found.push_back({Severity::fault, "server",
                     fmt::format("{} is {}, wanted {}", refusal.key, refusal.found, refusal.wanted),
                     refusal.remedy});
  for (const Finding& warning : check.warnings)
    found.push_back({Severity::warning, "server",
                     fmt::format("{} is {}, wanted {}", warning.key, warning.found, warning.wanted),
                     warning.remedy});
  switch (file_number_state(facts.facts.newest_file)) {
    case FileNumberState::fine:
      break;
    case FileNumberState::near_limit:
    case FileNumberState::beyond_limit:
      found.push_back({Severity::fault, "server",
                       fmt::format("the newest binlog is number {}; from {} on the server's own "
                                   "semi-sync compares names wrongly",
                                   facts.facts.newest_file, kFileNumberLimit),
                       "RESET MASTER at a planned time, and seed the replicas anew"});
      break;
  }
  if (found.empty())
    found.push_back({Severity::fine, "server",
                     fmt::format("{} is fit to be a source", facts.facts.version), ""});
  return found;
}

Findings check_standby_server(const Config& config, bool is_source) {
  if (is_source) return {};
  Findings found;
  const SourceConfig& source = *config.source;
  ServerConnection connection(
      {source.server_socket, source.server_user, source.server_password.reveal()});
  if (!connection.connect().ok()) return {};  // told by check_server()
  const StandbyFactsResult read = read_standby_facts(connection);
  if (!read.error.ok()) return {};
  const SourceCheck check = check_standby(read.facts, endpoint_text(config.replica->feed_listen));
  const auto add = [&found](Severity severity, const Finding& finding) {
    found.push_back({severity, "standby",
                     fmt::format("{} is {}, wanted {}", finding.key, finding.found, finding.wanted),
                     finding.remedy});
  };
  for (const Finding& refusal : check.refusals) add(Severity::fault, refusal);
  for (const Finding& warning : check.warnings) add(Severity::warning, warning);
  if (found.empty()) found.push_back({Severity::fine, "standby", "its server could take over", ""});
  return found;
}

}  // namespace binlane
