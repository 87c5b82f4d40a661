#include "shim/server/server_words.h"

#include <fmt/format.h>

#include "shim/server/server_connection.h"

namespace binlane {
namespace {

constexpr Privilege kMariadbSource[] = {
    {"REPLICATION SLAVE", false},        // the dump connection, SHOW SLAVE HOSTS
    {"REPLICATION MASTER ADMIN", true},  // SET GLOBAL rpl_semi_sync_master_…
};
constexpr Privilege kMariadbStandby[] = {
    {"REPLICATION SLAVE ADMIN", true},  // STOP SLAVE, RESET SLAVE ALL
    {"SLAVE MONITOR", true},            // SHOW SLAVE STATUS
    {"READ_ONLY ADMIN", false},         // SET GLOBAL read_only
    {"RELOAD", false},                  // FLUSH BINARY LOGS
};
constexpr Privilege kMysqlSource[] = {
    {"REPLICATION SLAVE", false},      // the dump connection, SHOW REPLICAS
    {"SYSTEM_VARIABLES_ADMIN", true},  // SET GLOBAL rpl_semi_sync_source_…
};
constexpr Privilege kMysqlStandby[] = {
    {"REPLICATION_SLAVE_ADMIN", true},  // STOP REPLICA, CHANGE REPLICATION SOURCE TO
    {"REPLICATION CLIENT", true},       // SHOW REPLICA STATUS
    {"CONNECTION_ADMIN", true},         // SET GLOBAL super_read_only, and SQL while it is ON
    {"RELOAD", false},                  // FLUSH BINARY LOGS, RESET REPLICA ALL
};

constexpr ServerWords kMariadb{
    .flavour = ServerFlavour::mariadb,
    .status_table = "information_schema.GLOBAL_STATUS",
    .fence = "read_only",
    .semi_sync_enable = "rpl_semi_sync_master_enabled",
    .log_updates = "log_slave_updates",
    .gtid_rule = "gtid_strict_mode",
    .gtid_rule_required = false,
    .fence_exempts = "READ_ONLY ADMIN",
    .show_replicas = "SHOW SLAVE HOSTS",
    .show_replica_status = "SHOW SLAVE STATUS",
    .stop_replica = "STOP SLAVE",
    .start_replica = "START SLAVE",
    .forget_source = "RESET SLAVE ALL",
    .executed_gtids = "SELECT @@GLOBAL.gtid_slave_pos",
    .written_gtids = "SELECT @@GLOBAL.gtid_binlog_pos",
    .tells_own_writes = true,
    .reset_binlogs = "RESET MASTER",
    .source_host = "Master_Host",
    .source_port = "Master_Port",
    .connect_retry = "Connect_Retry",
    .by_gtid = "Using_Gtid",
    .by_gtid_value = "Slave_Pos",
    .io_running = "Slave_IO_Running",
    .sql_running = "Slave_SQL_Running",
    .counted = "commits",
    .change_source = "CHANGE MASTER TO",
    .change_by_gtid = "MASTER_USE_GTID=slave_pos",
    .change_retry_1s = "MASTER_CONNECT_RETRY=1",
    .gtid_rule_remedy = "SET GLOBAL gtid_strict_mode=ON",
    .replica_semi_sync = "rpl_semi_sync_slave_enabled",
    .replica_status_privilege = "SLAVE MONITOR",
    .source_privileges = kMariadbSource,
    .standby_privileges = kMariadbStandby,
};

// Servers before version 8.0.26 say master and slave; their words are not here.
constexpr ServerWords kMysql{
    .flavour = ServerFlavour::mysql,
    .status_table = "performance_schema.global_status",
    .fence = "super_read_only",  // read_only alone lets accounts with CONNECTION_ADMIN write
    .semi_sync_enable = "rpl_semi_sync_source_enabled",
    .log_updates = "log_replica_updates",
    .gtid_rule = "gtid_mode",
    .gtid_rule_required = true,
    .fence_exempts = nullptr,
    .show_replicas = "SHOW REPLICAS",
    .show_replica_status = "SHOW REPLICA STATUS",
    .stop_replica = "STOP REPLICA",
    .start_replica = "START REPLICA",
    .forget_source = "RESET REPLICA ALL",
    .executed_gtids = "SELECT @@GLOBAL.gtid_executed",
    .written_gtids = "SELECT @@GLOBAL.gtid_executed",
    .tells_own_writes = false,
    .reset_binlogs = "RESET BINARY LOGS AND GTIDS",
    .source_host = "Source_Host",
    .source_port = "Source_Port",
    .connect_retry = "Connect_Retry",
    .by_gtid = "Auto_Position",
    .by_gtid_value = "1",
    .io_running = "Replica_IO_Running",
    .sql_running = "Replica_SQL_Running",
    .counted = "commit groups",
    .change_source = "CHANGE REPLICATION SOURCE TO",
    .change_by_gtid = "SOURCE_AUTO_POSITION=1",
    .change_retry_1s = "SOURCE_CONNECT_RETRY=1",
    .gtid_rule_remedy =
        "set gtid_mode and enforce_gtid_consistency ON, step by step as MySQL's manual says",
    .replica_semi_sync = "rpl_semi_sync_replica_enabled",
    .replica_status_privilege = "REPLICATION CLIENT",
    .source_privileges = kMysqlSource,
    .standby_privileges = kMysqlStandby,
};

constexpr std::string_view kMariadbPassword = ", MASTER_PASSWORD=";
constexpr std::string_view kMysqlPassword = ", SOURCE_PASSWORD=";

}  // namespace

ServerFlavour flavour_of(std::string_view version) {
  return grammar_of(version) == GtidGrammar::mariadb ? ServerFlavour::mariadb
                                                     : ServerFlavour::mysql;
}

std::string quoted_account(const std::string& account) {
  const auto at = account.rfind('@');
  if (at == std::string::npos) return quote_sql(account);
  return quote_sql(account.substr(0, at)) + "@" + quote_sql(account.substr(at + 1));
}

std::string missing_privileges(const std::set<std::string>& granted,
                               std::span<const Privilege> needed) {
  if (granted.contains("ALL PRIVILEGES")) return {};
  std::string missing;
  for (const Privilege& each : needed) {
    if (granted.contains(each.name) || (each.in_super && granted.contains("SUPER"))) continue;
    missing += (missing.empty() ? "" : ", ") + std::string(each.name);
  }
  return missing;
}

const ServerWords& words_of(ServerFlavour flavour) noexcept {
  return flavour == ServerFlavour::mariadb ? kMariadb : kMysql;
}

GtidGrammar grammar_of(const ServerWords& words) noexcept {
  return words.flavour == ServerFlavour::mariadb ? GtidGrammar::mariadb : GtidGrammar::mysql;
}

std::string kind_mismatch(const ServerWords& words, GtidGrammar binlogs) {
  if (grammar_of(words) == binlogs) return {};
  const bool of_mysql = binlogs == GtidGrammar::mysql;
  return fmt::format(
      "the source is a {} server and this host's server is a {} server: source and replicas must "
      "be servers of one kind",
      of_mysql ? "MySQL" : "MariaDB", of_mysql ? "MariaDB" : "MySQL");
}

// MySQL's performance_schema compares its texts by another collation than the connection's, and
// refuses a UNION of the two.
std::string variable_as_text(const ServerWords& words, std::string_view variable) {
  return words.flavour == ServerFlavour::mariadb
             ? fmt::format("CAST(@@GLOBAL.{} AS CHAR)", variable)
             : fmt::format("CONVERT(@@GLOBAL.{} USING utf8mb4) COLLATE utf8mb4_bin", variable);
}

// Both servers tell where a variable's value comes from, and say another word as soon as a
// statement has set it, even to the value that it had. FLUSH STATUS shows in the difference of the
// two times, which one statement returns for one moment.
std::string on_since_start_sql(const ServerWords& words, std::string_view variable) {
  const char* const origin =
      words.flavour == ServerFlavour::mariadb
          ? "SELECT v.GLOBAL_VALUE, v.GLOBAL_VALUE_ORIGIN IN ('CONFIG', 'COMMAND-LINE'), {0} FROM "
            "information_schema.SYSTEM_VARIABLES v, {1} a, {1} b WHERE v.VARIABLE_NAME = '{2}'{3}"
          : "SELECT IF(@@GLOBAL.{2}, 'ON', 'OFF'), v.VARIABLE_SOURCE NOT IN ('COMPILED', "
            "'DYNAMIC'), {0} FROM performance_schema.variables_info v, {1} a, {1} b WHERE "
            "v.VARIABLE_NAME = '{2}'{3}";
  return fmt::format(fmt::runtime(origin), "a.VARIABLE_VALUE = b.VARIABLE_VALUE",
                     words.status_table, variable,
                     " AND a.VARIABLE_NAME = 'Uptime' AND b.VARIABLE_NAME = "
                     "'Uptime_since_flush_status'");
}

std::vector<std::string> fence_statements(const ServerWords& words, unsigned wait_s) {
  if (words.flavour == ServerFlavour::mariadb)
    return {
        fmt::format("SET STATEMENT lock_wait_timeout={} FOR SET GLOBAL {}=1", wait_s, words.fence)};
  return {fmt::format("SET SESSION lock_wait_timeout={}", wait_s),
          fmt::format("SET GLOBAL {}=1", words.fence)};
}

std::string wait_executed_sql(const ServerWords& words, std::string_view gtids, double wait_s) {
  const char* const function =
      words.flavour == ServerFlavour::mariadb ? "MASTER_GTID_WAIT" : "WAIT_FOR_EXECUTED_GTID_SET";
  return fmt::format("SELECT {}({}, {})", function, quote_sql(gtids), wait_s);
}

// Our feed speaks no TLS, which newer servers want unless they are told otherwise. MySQL gives up
// after ten tries unless it is told otherwise, MariaDB never does.
std::vector<std::string> follow_statements(const ServerWords& words, const FeedAddress& feed,
                                           std::string_view gtids) {
  const std::string password = quote_sql(feed.password.reveal());
  if (words.flavour == ServerFlavour::mysql)
    return {
        fmt::format("{} SOURCE_HOST='127.0.0.1', SOURCE_PORT={}, SOURCE_USER={}, {}, {}, "
                    "SOURCE_RETRY_COUNT=4294967295, SOURCE_SSL=0, GET_SOURCE_PUBLIC_KEY=1{}{}",
                    words.change_source, feed.port, quote_sql(feed.user), words.change_retry_1s,
                    words.change_by_gtid, kMysqlPassword, password)};
  std::vector<std::string> statements;
  if (!gtids.empty()) statements.push_back("SET GLOBAL gtid_slave_pos=" + quote_sql(gtids));
  statements.push_back(fmt::format(
      "{} MASTER_HOST='127.0.0.1', MASTER_PORT={}, MASTER_USER={}, {}, {}, MASTER_SSL=0{}{}",
      words.change_source, feed.port, quote_sql(feed.user), words.change_retry_1s,
      words.change_by_gtid, kMariadbPassword, password));
  return statements;
}

std::string without_password(const std::string& statement) {
  for (const std::string_view option : {kMariadbPassword, kMysqlPassword}) {
    if (const auto at = statement.find(option); at != std::string::npos)
      return statement.substr(0, at) + std::string(option) + "'…'";
  }
  return statement;
}

}  // namespace binlane
