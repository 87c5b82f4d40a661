#include "shim/feed/feed_dialogue.h"

#include <array>

#include "shim/feed/caching_sha2.h"
#include "shim/feed/mysql_packet.h"

namespace binlane {
namespace {

using std::string_view;

// A MariaDB server writes this before its version in the greeting: very old replicas of MySQL
// would take "10." for something else.
constexpr string_view kGreetingPrefix = "5.5.5-";
constexpr string_view kComment = "Binlane: the archive of a source, for its replica";

// --- MariaDB

constexpr auto kMariadbPlugins = std::to_array<string_view>({mysql::kNativePassword});
// What connectors ask any server before they begin.
constexpr auto kMariadbConstants = std::to_array<FeedConstant>({
    {"auto_increment_increment", "1"},
    {"autocommit", "1"},
    {"character_set_client", "utf8mb3"},
    {"character_set_connection", "utf8mb3"},
    {"character_set_results", "utf8mb3"},
    {"character_set_server", "utf8mb3"},
    {"collation_connection", "utf8mb3_general_ci"},
    {"collation_server", "utf8mb3_general_ci"},
    {"init_connect", ""},
    {"interactive_timeout", "300"},
    {"log_bin", "ON"},
    {"lower_case_table_names", "0"},
    {"max_allowed_packet", "4194304"},
    {"net_buffer_length", "16384"},
    {"net_write_timeout", "60"},
    {"performance_schema", "OFF"},
    {"read_only", "ON"},
    {"sql_mode", ""},
    {"system_time_zone", "UTC"},
    {"time_zone", "SYSTEM"},
    {"transaction_isolation", "REPEATABLE-READ"},
    {"tx_isolation", "REPEATABLE-READ"},
    {"version_comment", kComment},
    {"wait_timeout", "300"},
});
constexpr auto kMariadbOfSource =
    std::to_array<string_view>({"binlog_checksum", "gtid_binlog_pos", "gtid_current_pos",
                                "gtid_domain_id", "server_id", "version"});
constexpr auto kMariadbStatus =
    std::to_array<string_view>({"File", "Position", "Binlog_Do_DB", "Binlog_Ignore_DB"});
constexpr auto kMariadbBinlogs = std::to_array<string_view>({"Log_name", "File_size"});
constexpr auto kMariadbReplicas =
    std::to_array<string_view>({"Server_id", "Host", "Port", "Master_id"});

constexpr FeedDialogue kMariadb{
    .grammar = GtidGrammar::mariadb,
    .greeting = kFeedServerVersion,
    .plugins = kMariadbPlugins,
    .constants = kMariadbConstants,
    .of_source = kMariadbOfSource,
    .status_columns = kMariadbStatus,
    .binlog_columns = kMariadbBinlogs,
    .replicas_columns = kMariadbReplicas,
    .other_kind =
        "The source is a MariaDB server, and a replica of MySQL cannot replicate from it: source "
        "and replicas must be servers of one kind",
    .only_they_set = "source_binlog_checksum",
    .no_privilege =
        "Access denied; you need (at least one of) the SUPER, BINLOG ADMIN privilege(s) for this "
        "operation",
    .same_id =
        "A slave with the same server_uuid/server_id as this slave has connected to the master",
    .no_checksums =
        "Slave can not handle replication events with the checksum that master is configured to "
        "log",
    .before_first_event = "Client requested master to start replication from impossible position",
    .beyond_end = {},
    .sealed_by_position =
        "The source was replaced by a promotion, and its binlogs have other names and positions: a "
        "replica that follows by file and position cannot go on; use MASTER_USE_GTID=slave_pos",
};

// --- MySQL

constexpr auto kMysqlPlugins =
    std::to_array<string_view>({mysql::kCachingSha2Password, mysql::kNativePassword});
constexpr auto kMysqlConstants = std::to_array<FeedConstant>({
    {"auto_increment_increment", "1"},
    {"autocommit", "1"},
    {"character_set_client", "utf8mb4"},
    {"character_set_connection", "utf8mb4"},
    {"character_set_results", "utf8mb4"},
    {"character_set_server", "utf8mb4"},
    {"collation_connection", "utf8mb4_0900_ai_ci"},
    {"collation_server", "utf8mb4_0900_ai_ci"},
    {"init_connect", ""},
    {"interactive_timeout", "300"},
    {"log_bin", "ON"},
    {"lower_case_table_names", "0"},
    {"max_allowed_packet", "67108864"},
    {"net_buffer_length", "16384"},
    {"net_write_timeout", "60"},
    {"performance_schema", "OFF"},
    {"read_only", "ON"},
    {"sql_mode", ""},
    {"super_read_only", "ON"},
    {"system_time_zone", "UTC"},
    {"time_zone", "SYSTEM"},
    {"transaction_isolation", "REPEATABLE-READ"},
    {"version_comment", kComment},
    {"wait_timeout", "300"},
});
constexpr auto kMysqlOfSource =
    std::to_array<string_view>({"binlog_checksum", "gtid_executed", "gtid_mode", "gtid_purged",
                                "server_id", "server_uuid", "version"});
constexpr auto kMysqlStatus = std::to_array<string_view>(
    {"File", "Position", "Binlog_Do_DB", "Binlog_Ignore_DB", "Executed_Gtid_Set"});
constexpr auto kMysqlBinlogs = std::to_array<string_view>({"Log_name", "File_size", "Encrypted"});
constexpr auto kMysqlReplicas =
    std::to_array<string_view>({"Server_Id", "Host", "Port", "Source_Id", "Replica_UUID"});

constexpr FeedDialogue kMysql{
    .grammar = GtidGrammar::mysql,
    .greeting = {},
    .plugins = kMysqlPlugins,
    .constants = kMysqlConstants,
    .of_source = kMysqlOfSource,
    .status_columns = kMysqlStatus,
    .binlog_columns = kMysqlBinlogs,
    .replicas_columns = kMysqlReplicas,
    .other_kind =
        "The source is a MySQL server, and a replica of MariaDB cannot replicate from it: source "
        "and replicas must be servers of one kind",
    .only_they_set = {},
    .no_privilege =
        "Access denied; you need (at least one of) the SUPER or SYSTEM_VARIABLES_ADMIN "
        "privilege(s) for this operation",
    .same_id =
        "A replica with the same server_uuid/server_id as this replica has connected to the source",
    .no_checksums =
        "Replica can not handle replication events with the checksum that source is configured to "
        "log",
    .before_first_event = "Client requested source to start replication from position < 4",
    .beyond_end = "Client requested source to start replication from position > file size",
    .sealed_by_position =
        "The source was replaced by a promotion, and its binlogs have other names and positions: a "
        "replica that follows by file and position cannot go on; use SOURCE_AUTO_POSITION=1",
};

}  // namespace

const FeedDialogue& feed_dialogue(GtidGrammar grammar) {
  return grammar == GtidGrammar::mysql ? kMysql : kMariadb;
}

FeedGreeting::FeedGreeting(std::string_view archived)
    : dialogue(&feed_dialogue(archived.empty() ? GtidGrammar::mariadb : grammar_of(archived))),
      server_version(dialogue->greeting.empty() ? archived : dialogue->greeting) {}

std::string_view FeedGreeting::version() const noexcept {
  const std::string_view text = server_version;
  return text.starts_with(kGreetingPrefix) ? text.substr(kGreetingPrefix.size()) : text;
}

}  // namespace binlane
