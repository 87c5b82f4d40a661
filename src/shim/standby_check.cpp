#include "shim/standby_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace binlane {
namespace {

// What a promotion does at the server, and the privileges for it; one of each row.
struct Need {
  const char* privilege;
  bool in_super;  // SUPER serves as well
};
constexpr Need kNeeds[] = {
    {"REPLICATION SLAVE ADMIN", true},  // STOP SLAVE, RESET SLAVE ALL
    {"SLAVE MONITOR", true},            // SHOW SLAVE STATUS
    {"READ_ONLY ADMIN", false},         // SET GLOBAL read_only
    {"RELOAD", false},                  // FLUSH BINARY LOGS
};

void check_privileges(const StandbyFacts& facts, SourceCheck& check) {
  if (facts.privileges.contains("ALL PRIVILEGES")) return;
  std::string missing;
  for (const Need& need : kNeeds) {
    const bool super = need.in_super && facts.privileges.contains("SUPER");
    if (super || facts.privileges.contains(need.privilege)) continue;
    missing += (missing.empty() ? "" : ", ") + std::string(need.privilege);
  }
  if (missing.empty()) return;
  const auto at = facts.account.rfind('@');
  const std::string account =
      at == std::string::npos
          ? facts.account
          : fmt::format("'{}'@'{}'", facts.account.substr(0, at), facts.account.substr(at + 1));
  check.refusals.push_back(
      {kPrivileges, fmt::format("{} lacks {}", account, missing), missing,
       fmt::format("GRANT {} ON *.* TO {}; with sql_log_bin=0 on this server", missing, account)});
}

void check_replication(const StandbyFacts& facts, const std::string& feed, SourceCheck& check) {
  const auto warn = [&check](const char* key, const std::string& found, const std::string& wanted,
                             const std::string& remedy) {
    check.warnings.push_back({key, found, wanted, remedy});
  };
  if (!facts.unseen.empty())
    return warn("SHOW SLAVE STATUS", facts.unseen, "an answer", "grant the account SLAVE MONITOR");
  if (!facts.follows)
    return warn(
        "replication", "the server follows nobody", "this host's feed at " + feed,
        "binlane rejoin where this host was the source; otherwise CHANGE MASTER TO … and START "
        "SLAVE as in docs/INSTALL.md, Start");
  const StandbyFacts::Follows& follows = *facts.follows;
  if (const std::string at = follows.host + ":" + follows.port; at != feed)
    warn("Master_Host", at, "this host's feed at " + feed,
         "STOP SLAVE; CHANGE MASTER TO … as in docs/INSTALL.md, Start; START SLAVE");
  if (follows.using_gtid != "Slave_Pos")
    warn("Using_Gtid", follows.using_gtid, "Slave_Pos",
         "STOP SLAVE; CHANGE MASTER TO MASTER_USE_GTID=slave_pos; START SLAVE: by file and "
         "position it cannot follow a promotion");
  if (follows.sql_running != "Yes")
    warn("Slave_SQL_Running",
         follows.sql_running + (follows.error.empty() ? "" : ": ") + follows.error, "Yes",
         "mend what is said there, and START SLAVE: a promotion waits until the server has "
         "executed everything");
  if (follows.io_running != "Yes")
    warn("Slave_IO_Running", follows.io_running, "Yes",
         "see Last_IO_Error in SHOW SLAVE STATUS, and START SLAVE");
  if (follows.connect_retry != "1")
    warn(
        "Connect_Retry", follows.connect_retry, "1",
        "STOP SLAVE; CHANGE MASTER TO MASTER_CONNECT_RETRY=1; START SLAVE: at a promotion the feed "
        "begins anew, and the server would wait that many seconds");
}

std::string text_at(const QueryResult& result, const char* column) {
  const auto found = std::find(result.columns.begin(), result.columns.end(), column);
  if (found == result.columns.end() || result.rows.empty()) return {};
  return result.rows[0][static_cast<std::size_t>(found - result.columns.begin())].value_or("");
}

}  // namespace

StandbyFactsResult read_standby_facts(ServerConnection& connection) {
  StandbyFactsResult result;
  const ServerFactsResult server = read_server_facts(connection);
  if (!server.ok()) return {server.error, {}};
  StandbyFacts& facts = result.facts;
  facts.account = server.facts.account;
  facts.privileges = server.facts.privileges;
  facts.read_only = server.facts.read_only;
  const QueryResult settings =
      connection.query("SELECT @@GLOBAL.log_slave_updates, @@GLOBAL.gtid_strict_mode");
  if (!settings.ok()) return {settings.error, {}};
  if (!settings.rows.empty()) {
    facts.log_slave_updates = settings.rows[0][0] == "1";
    facts.gtid_strict_mode = settings.rows[0][1] == "1";
  }
  const QueryResult slave = connection.query("SHOW SLAVE STATUS");
  if (!slave.ok()) {
    facts.unseen = to_string(slave.error);
    return result;
  }
  if (slave.rows.empty()) return result;
  std::string error = text_at(slave, "Last_SQL_Error");
  facts.follows = {text_at(slave, "Master_Host"),
                   text_at(slave, "Master_Port"),
                   text_at(slave, "Connect_Retry"),
                   text_at(slave, "Using_Gtid"),
                   text_at(slave, "Slave_IO_Running"),
                   text_at(slave, "Slave_SQL_Running"),
                   std::move(error)};
  return result;
}

SourceCheck check_standby(const StandbyFacts& facts, const std::string& feed) {
  SourceCheck check;
  check_privileges(facts, check);
  if (!facts.log_slave_updates)
    check.refusals.push_back({"log_slave_updates", "OFF", "ON",
                              "start the server with log_slave_updates=ON: its binlog would not "
                              "know what it has executed"});
  if (!facts.read_only)
    check.warnings.push_back(
        {"read_only", "0", "1",
         "SET GLOBAL read_only=1, and in the [mysqld] section: what is written "
         "here by itself keeps this host from being promoted"});
  if (!facts.gtid_strict_mode)
    check.warnings.push_back({"gtid_strict_mode", "OFF", "ON",
                              "SET GLOBAL gtid_strict_mode=ON, and in the [mysqld] section"});
  check_replication(facts, feed, check);
  return check;
}

}  // namespace binlane
