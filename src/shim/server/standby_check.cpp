#include "shim/server/standby_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace binlane {
namespace {

void check_privileges(const ServerWords& words, const StandbyFacts& facts, SourceCheck& check) {
  const std::string missing = missing_privileges(facts.privileges, words.standby_privileges);
  if (missing.empty()) return;
  const std::string account = quoted_account(facts.account);
  check.refusals.push_back(
      {kPrivileges, fmt::format("{} lacks {}", account, missing), missing,
       fmt::format("GRANT {} ON *.* TO {}; with sql_log_bin=0 on this server", missing, account)});
}

// How an operator changes what the server follows.
std::string change_advice(const ServerWords& words, const char* option) {
  return fmt::format("{}; {} {}; {}", words.stop_replica, words.change_source, option,
                     words.start_replica);
}

void check_replication(const ServerWords& words, const StandbyFacts& facts, const std::string& feed,
                       SourceCheck& check) {
  const auto warn = [&check](const char* key, const std::string& found, const std::string& wanted,
                             const std::string& remedy) {
    check.warnings.push_back({key, found, wanted, remedy});
  };
  if (!facts.unseen.empty())
    return warn(words.show_replica_status, facts.unseen, "an answer",
                fmt::format("grant the account {}", words.replica_status_privilege));
  if (!facts.follows)
    return warn("replication", "the server follows no source", "this host's feed at " + feed,
                fmt::format("binlane rejoin if this host was the source; otherwise {} … and {} as "
                            "in docs/INSTALL.md, Start",
                            words.change_source, words.start_replica));
  const StandbyFacts::Follows& follows = *facts.follows;
  if (const std::string at = follows.host + ":" + follows.port; at != feed)
    warn(words.source_host, at, "this host's feed at " + feed,
         change_advice(words, "… as in docs/INSTALL.md, Start"));
  if (follows.by_gtid != words.by_gtid_value)
    warn(words.by_gtid, follows.by_gtid, words.by_gtid_value,
         change_advice(words, words.change_by_gtid) +
             ": by file and position it cannot follow a promotion");
  if (follows.sql_running != "Yes")
    warn(words.sql_running,
         follows.sql_running + (follows.error.empty() ? "" : ": ") + follows.error, "Yes",
         fmt::format("repair what is reported there, and {}: a promotion waits until the server "
                     "has executed everything",
                     words.start_replica));
  if (follows.io_running != "Yes")
    warn(words.io_running, follows.io_running, "Yes",
         fmt::format("see Last_IO_Error in {}, and {}", words.show_replica_status,
                     words.start_replica));
  if (follows.connect_retry != "1")
    warn(words.connect_retry, follows.connect_retry, "1",
         change_advice(words, words.change_retry_1s) +
             ": at a promotion the feed begins anew, and the server would wait that many seconds");
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
  facts.read_only = server.facts.fenced;
  facts.flavour = server.facts.flavour;
  const ServerWords& words = words_of(facts.flavour);
  const QueryResult settings = connection.query(
      fmt::format("SELECT @@GLOBAL.{}, @@GLOBAL.{}", words.log_updates, words.gtid_rule));
  if (!settings.ok()) return {settings.error, {}};
  if (!settings.rows.empty()) {
    const auto is_on = [&](std::size_t column) {
      return settings.rows[0][column] == "1" || settings.rows[0][column] == "ON";
    };
    facts.log_updates = is_on(0);
    facts.gtid_rule = is_on(1);
  }
  const QueryResult status = connection.query_or_close(words.show_replica_status);
  if (!status.ok()) {
    facts.unseen = to_string(status.error);
    return result;
  }
  if (status.rows.empty()) return result;
  std::string error = text_at(status, "Last_SQL_Error");
  facts.follows = {text_at(status, words.source_host),
                   text_at(status, words.source_port),
                   text_at(status, words.connect_retry),
                   text_at(status, words.by_gtid),
                   text_at(status, words.io_running),
                   text_at(status, words.sql_running),
                   std::move(error)};
  return result;
}

SourceCheck check_standby(const StandbyFacts& facts, const std::string& feed) {
  const ServerWords& words = words_of(facts.flavour);
  SourceCheck check;
  check_privileges(words, facts, check);
  if (!facts.log_updates)
    check.refusals.push_back({words.log_updates, "OFF", "ON",
                              fmt::format("start the server with {}=ON: without it the server's "
                                          "binlog does not contain what the server has executed",
                                          words.log_updates)});
  if (!facts.read_only)
    check.warnings.push_back({words.fence, "0", "1",
                              fmt::format("SET GLOBAL {}=1, and in the [mysqld] section: a host on "
                                          "which something else was written cannot be promoted",
                                          words.fence)});
  if (!facts.gtid_rule)
    (words.gtid_rule_required ? check.refusals : check.warnings)
        .push_back({words.gtid_rule, "OFF", "ON",
                    fmt::format("{}, and in the [mysqld] section", words.gtid_rule_remedy)});
  check_replication(words, facts, feed, check);
  return check;
}

}  // namespace binlane
