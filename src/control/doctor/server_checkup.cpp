// The server's settings, for `binlane doctor`.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "control/config/config_value.h"
#include "control/config/service_identity.h"
#include "control/doctor/checkup.h"
#include "shim/server/semi_sync_control.h"
#include "shim/server/server_connection.h"
#include "shim/server/server_facts.h"
#include "shim/server/standby_check.h"

namespace binlane {
namespace {

// Root can read every binlog. The installed daemon may not be able to.
void check_binlog_access(const ServerFacts& facts, Findings& found) {
  const auto service = service_identity();
  if (!service || !facts.log_bin || !facts.index_error.empty()) return;
  std::string group;
  const std::string obstacle = read_obstacle(service->ids, facts.log_bin_index, &group);
  if (obstacle.empty()) return;
  found.push_back({CheckSeverity::fault, "server",
                   fmt::format("binlaned runs as user {}, which may not read the binlogs: {}",
                               service->user, obstacle),
                   unreadable_binlog_remedy(group)});
}

// In MariaDB an account with READ_ONLY ADMIN can still write at a fenced source. The server's own
// administrators have it everywhere, and are only named; an application's account should not have
// it.
void check_read_only_admins(const SourceConfig& source, ServerConnection& ours, Findings& found) {
  const ServerWords& words = ours.words();
  if (words.fence_exempts == nullptr) return;
  const std::string sql = fmt::format(
      "SELECT DISTINCT GRANTEE FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE = '{}'",
      words.fence_exempts);
  // An account sees only its own row, unless it may read the tables of accounts. Root may, and on
  // Debian can connect over the socket without a password.
  ServerConnection root({source.server_socket, "root", Secret()});
  const bool as_root = ::geteuid() == 0 && root.connect().ok();
  const QueryResult answer = (as_root ? root : ours).query(sql);
  std::string administrators;
  for (const SqlRow& row : answer.rows) {
    const std::string account = row.at(0).value_or("");
    const std::string user = account.substr(0, account.find('@'));
    if (user == "'" + source.server_user + "'") continue;
    if (user == "'root'" || user == "'mysql'" || user == "'mariadb.sys'") {
      administrators += (administrators.empty() ? "" : ", ") + account;
      continue;
    }
    found.push_back({CheckSeverity::warning, "read_only",
                     fmt::format("account {} has {}: it can still write when this host is fenced",
                                 account, words.fence_exempts),
                     fmt::format("REVOKE {} ON *.* FROM {}, if it is an application's account",
                                 words.fence_exempts, account)});
  }
  if (!administrators.empty())
    found.push_back({CheckSeverity::fine, "read_only",
                     fmt::format("{} can write on a fenced host", administrators), ""});
}

}  // namespace

Findings check_ackers(const ServerWords& words, std::uint64_t clients,
                      const std::vector<std::uint32_t>& others, bool acker_registered) {
  const std::uint64_t own = acker_registered ? 1 : 0;
  if (clients <= own) return {};
  std::string ids;
  for (const std::uint32_t id : others) ids += fmt::format("{}{}", ids.empty() ? "" : ", ", id);
  return {
      {CheckSeverity::fault, "server",
       fmt::format("{} semi-sync client{} besides Binlane can release commits that no quorum has"
                   "{}{}",
                   clients - own, clients - own == 1 ? "" : "s",
                   ids.empty() ? "" : "; registered replicas: server_id ", ids),
       fmt::format("{} and SHOW PROCESSLIST (Binlog Dump) on the source name its host; on that "
                   "host: SET GLOBAL {}=OFF; {}; {}, and the same in its my.cnf",
                   words.show_replicas, words.replica_semi_sync, words.stop_replica,
                   words.start_replica)}};
}

Findings check_set_aside(const std::string& base) {
  const std::filesystem::path path(base);
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  std::error_code error;
  std::filesystem::directory_iterator entry(path.parent_path(), error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(path.filename().string() + ".") || !name.ends_with(".cut")) continue;
    std::error_code unknown;
    const std::uint64_t size = entry->file_size(unknown);
    ++count;
    bytes += unknown ? 0 : size;
  }
  if (count == 0) return {};
  return {{CheckSeverity::warning, "server",
           fmt::format("{} binlog{} that a rejoin cut off the stream are kept beside the others as "
                       "{}.*.cut, {} MiB",
                       count, count == 1 ? "" : "s", base, bytes >> 20),
           "they hold transactions that no other host has: remove them when nobody needs those any "
           "more (OPERATIONS, Rejoin)"}};
}

HealthFinding unreachable_server(const SourceConfig& source, const std::string& error,
                                 bool fenced) {
  return {CheckSeverity::fault, "server",
          fmt::format("cannot connect to {}: {}", source.server_socket, error),
          fenced ? "this host is FENCED: do not start its server, whose recovery would commit what "
                   "perhaps no other host has; run binlane rejoin first (OPERATIONS, Rejoin)"
                 : "start the server, or repair the account"};
}

Findings check_server(const Config& config, bool fenced) {
  Findings found;
  const SourceConfig& source = *config.source;
  ServerConnection connection({source.server_socket, source.server_user, source.server_password});
  const SqlError error = connection.connect();
  if (!error.ok()) {
    found.push_back(unreachable_server(source, to_string(error), fenced));
    return found;
  }
  const ServerFactsResult facts = read_server_facts(connection);
  if (!facts.ok()) {
    found.push_back({CheckSeverity::fault, "server",
                     fmt::format("its settings cannot be read: {}", to_string(facts.error)),
                     "give the account the privileges that docs/OPERATIONS.md lists"});
    return found;
  }
  const SourceCheck check = check_source(
      facts.facts, static_cast<std::uint32_t>(source.acker_server_id), config.replica.has_value());
  for (const Finding& refusal : check.refusals)
    found.push_back(
        {CheckSeverity::fault, "server",
         fmt::format("{}: found {}, wanted {}", refusal.key, refusal.found, refusal.wanted),
         refusal.remedy});
  for (const Finding& warning : check.warnings)
    found.push_back(
        {CheckSeverity::warning, "server",
         fmt::format("{}: found {}, wanted {}", warning.key, warning.found, warning.wanted),
         warning.remedy});
  const bool numbers_end = facts.facts.flavour == ServerFlavour::mariadb &&
                           file_number_state(facts.facts.newest_file) != FileNumberState::fine;
  if (numbers_end)
    found.push_back({CheckSeverity::fault, "server",
                     fmt::format("the newest binlog is number {}; at {} Binlane ends semi-sync for "
                                 "good, because MariaDB compares the names of binlogs as text",
                                 facts.facts.newest_file, kFileNumberLimit - 1),
                     fmt::format("run {} at a planned time, and re-seed the replicas (OPERATIONS, "
                                 "Binlog numbers)",
                                 words_of(facts.facts.flavour).reset_binlogs)});
  if (facts.facts.semi_sync_words != SemiSyncWords::none) {
    SemiSyncControl control(connection, facts.facts.semi_sync_words, facts.facts.flavour);
    const SemiSyncPoll poll = control.poll();
    if (poll.ok()) {
      for (HealthFinding& finding :
           check_ackers(words_of(facts.facts.flavour), poll.status.clients,
                        facts.facts.registered_replica_ids, facts.facts.acker_registered))
        found.push_back(std::move(finding));
    }
  }
  check_binlog_access(facts.facts, found);
  for (HealthFinding& finding : check_set_aside(facts.facts.log_bin_basename))
    found.push_back(std::move(finding));
  if (found.empty())
    found.push_back({CheckSeverity::fine, "server",
                     fmt::format("{} is fit to be a source", facts.facts.version), ""});
  check_read_only_admins(source, connection, found);
  return found;
}

Findings check_standby_server(const Config& config, bool is_source) {
  Findings found;
  const SourceConfig& source = *config.source;
  ServerConnection connection({source.server_socket, source.server_user, source.server_password});
  if (!connection.connect().ok()) return {};  // check_server() reports it
  const StandbyFactsResult read = read_standby_facts(connection);
  if (!read.error.ok()) return {};
  // While the daemon runs, its role's record is locked. A server that follows no source and takes
  // writes belongs to a source. A source needs the same privileges (read_only is lifted after a
  // restart of the server, and it may become a standby), and the rest does not concern it.
  const StandbyFacts& facts = read.facts;
  const bool of_source = is_source || (!facts.follows && facts.unseen.empty() && !facts.read_only);
  const SourceCheck check = check_standby(read.facts, endpoint_text(config.replica->feed_listen));
  const auto add = [&found](CheckSeverity severity, const Finding& finding) {
    found.push_back(
        {severity, "standby",
         fmt::format("{}: found {}, wanted {}", finding.key, finding.found, finding.wanted),
         finding.remedy});
  };
  for (const Finding& refusal : check.refusals) {
    if (!of_source || refusal.key == kPrivileges) add(CheckSeverity::fault, refusal);
  }
  if (of_source) return found;
  for (const Finding& warning : check.warnings) add(CheckSeverity::warning, warning);
  if (found.empty())
    found.push_back({CheckSeverity::fine, "standby", "its server could take over", ""});
  return found;
}

}  // namespace binlane
