#include "shim/server/server_facts.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>

#include "base/access_path.h"
#include "base/error.h"
#include "base/number_text.h"
#include "shim/binlog/binlog_index_tail.h"
#include "shim/binlog/binlog_paths.h"

namespace binlane {
namespace {

using Variables = std::map<std::string, std::string>;

// Every variable that a fact is made of; a server that does not know one leaves it out.
constexpr const char* kFactsSql =
    "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version','server_id','server_uuid','log_bin',"
    "'datadir','log_bin_basename','log_bin_index','sync_binlog','innodb_flush_log_at_trx_commit',"
    "'encrypt_binlog','binlog_encryption','binlog_checksum','gtid_domain_id',"
    "'binlog_error_action','rpl_semi_sync_source_wait_for_replica_count',"
    "'rpl_semi_sync_master_wait_for_slave_count','rpl_semi_sync_master_enabled',"
    "'rpl_semi_sync_source_enabled','read_only','super_read_only','gtid_mode',"
    "'binlog_storage_engine','persist_binlog_to_redo','binlog_parallel_flush',"
    "'binlog_large_commit_threshold')";

constexpr std::int64_t kStartToleranceS = 2;

std::string text_of(const Variables& variables, const char* name) {
  const auto found = variables.find(name);
  return found == variables.end() ? std::string() : found->second;
}

std::optional<std::uint64_t> number_of(const Variables& variables, const char* name) {
  const auto found = variables.find(name);
  if (found == variables.end()) return std::nullopt;
  return parse_number<std::uint64_t>(found->second);
}

bool is_on(const Variables& variables, const char* name) {
  const std::string text = text_of(variables, name);
  return text == "ON" || text == "1";
}

std::uint32_t parse_version_number(const std::string& version) {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned patch = 0;
  if (std::sscanf(version.c_str(), "%u.%u.%u", &major, &minor, &patch) < 2) return 0;
  return major * 10'000 + minor * 100 + patch;
}

// The privileges of a line "GRANT A, B ON *.* TO …". Lines about less than the whole server and
// lines about roles contain nothing we need.
void add_global_privileges(const std::string& grant, std::set<std::string>& privileges) {
  constexpr std::string_view kBegin = "GRANT ";
  const auto end = grant.find(" ON *.* TO ");
  if (grant.rfind(kBegin, 0) != 0 || end == std::string::npos) return;
  std::istringstream list(grant.substr(kBegin.size(), end - kBegin.size()));
  std::string name;
  while (std::getline(list, name, ',')) {
    name.erase(0, name.find_first_not_of(' '));
    if (!name.empty()) privileges.insert(name);
  }
}

std::int64_t boot_time_s() {
  timespec time{};
  clock_gettime(CLOCK_BOOTTIME, &time);
  return time.tv_sec;
}

void fill_from_version(const std::string& version, ServerFacts& facts) {
  facts.version = version;
  facts.flavour = flavour_of(version);
  facts.version_number = parse_version_number(version);
}

void fill_from_variables(const Variables& variables, ServerFacts& facts) {
  fill_from_version(text_of(variables, "version"), facts);
  facts.server_id = static_cast<std::uint32_t>(number_of(variables, "server_id").value_or(0));
  facts.server_uuid = text_of(variables, "server_uuid");
  facts.log_bin = is_on(variables, "log_bin");
  facts.data_directory = text_of(variables, "datadir");
  facts.log_bin_basename =
      resolve_server_path(text_of(variables, "log_bin_basename"), facts.data_directory);
  facts.log_bin_index =
      resolve_server_path(text_of(variables, "log_bin_index"), facts.data_directory);
  facts.sync_binlog = number_of(variables, "sync_binlog").value_or(0);
  facts.innodb_flush_log_at_trx_commit =
      number_of(variables, "innodb_flush_log_at_trx_commit").value_or(0);
  facts.binlog_encrypted =
      is_on(variables, "encrypt_binlog") || is_on(variables, "binlog_encryption");
  facts.binlog_checksum = text_of(variables, "binlog_checksum");
  facts.binlog_storage_engine = text_of(variables, "binlog_storage_engine");
  facts.binlog_large_commit_threshold = number_of(variables, "binlog_large_commit_threshold");
  facts.binlog_in_redo = is_on(variables, "persist_binlog_to_redo");
  facts.binlog_parallel_flush = is_on(variables, "binlog_parallel_flush");
  if (const auto domain = number_of(variables, "gtid_domain_id"))
    facts.gtid_domain_id = static_cast<std::uint32_t>(*domain);
  facts.binlog_error_action = text_of(variables, "binlog_error_action");
  facts.semi_sync_wait_for_replicas =
      number_of(variables, "rpl_semi_sync_source_wait_for_replica_count");
  if (!facts.semi_sync_wait_for_replicas)
    facts.semi_sync_wait_for_replicas =
        number_of(variables, "rpl_semi_sync_master_wait_for_slave_count");
  if (variables.contains("rpl_semi_sync_source_enabled")) {
    facts.semi_sync_words = SemiSyncWords::source_replica;
  } else if (variables.contains("rpl_semi_sync_master_enabled")) {
    facts.semi_sync_words = SemiSyncWords::master_slave;
  }
  facts.read_only = is_on(variables, "read_only");
  facts.fenced = is_on(variables, words_of(facts.flavour).fence);
  facts.gtid_mode = !variables.contains("gtid_mode") || is_on(variables, "gtid_mode");
}

void read_registered_replicas(ServerConnection& connection, ServerFacts& facts) {
  // check_source() already reports an account without the privilege to see them.
  const QueryResult answer = connection.query(words_of(facts.flavour).show_replicas);
  for (const SqlRow& row : answer.rows) {
    if (row.empty() || !row[0]) continue;
    if (row.size() > 1 && row[1] == kAckerHost) {
      facts.acker_registered = true;
      continue;
    }
    const Variables id{{"id", *row[0]}};
    if (const auto number = number_of(id, "id"))
      facts.registered_replica_ids.push_back(static_cast<std::uint32_t>(*number));
  }
}

SqlError read_account(ServerConnection& connection, ServerFacts& facts) {
  const QueryResult account = connection.query("SELECT CURRENT_USER()");
  if (!account.ok()) return account.error;
  if (!account.rows.empty()) facts.account = account.rows[0].at(0).value_or("");
  const QueryResult grants = connection.query("SHOW GRANTS");
  if (!grants.ok()) return grants.error;
  for (const SqlRow& row : grants.rows) {
    if (!row.empty() && row[0]) add_global_privileges(*row[0], facts.privileges);
  }
  return {};
}

}  // namespace

bool ServerRun::is_same_as(const ServerRun& other) const noexcept {
  if (boot_id != other.boot_id) return false;
  if (process.pid != 0 && other.process.pid != 0)
    return process.pid == other.process.pid && process.start_ticks == other.process.start_ticks;
  return std::abs(started_s - other.started_s) <= kStartToleranceS;
}

std::string this_boot_id() {
  std::string id;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> id;
  return id;
}

std::string to_string(const ServerRun& run) {
  return fmt::format("boot={} pid={} ticks={} started={}", run.boot_id, run.process.pid,
                     run.process.start_ticks, run.started_s);
}

std::optional<ServerRun> parse_server_run(const std::string& text) {
  std::istringstream stream(text);
  std::map<std::string, std::string> fields;
  std::string field;
  while (stream >> field) {
    const auto equals = field.find('=');
    if (equals == std::string::npos) return std::nullopt;
    fields[field.substr(0, equals)] = field.substr(equals + 1);
  }
  const auto pid = number_of(fields, "pid");
  const auto ticks = number_of(fields, "ticks");
  const auto started = number_of(fields, "started");
  if (fields.size() != 4 || !fields.contains("boot") || !pid || !ticks || !started)
    return std::nullopt;
  return ServerRun{fields["boot"],
                   {static_cast<std::int64_t>(*pid), *ticks},
                   static_cast<std::int64_t>(*started)};
}

std::string binlog_base_name(const ServerFacts& facts) {
  const auto slash = facts.log_bin_basename.rfind('/');
  return slash == std::string::npos ? facts.log_bin_basename
                                    : facts.log_bin_basename.substr(slash + 1);
}

ServerRun read_server_run(ServerConnection& connection) {
  ServerRun run;
  run.boot_id = this_boot_id();
  const QueryResult uptime = connection.query("SHOW GLOBAL STATUS LIKE 'Uptime'");
  if (uptime.ok() && uptime.rows.size() == 1 && uptime.rows[0].size() == 2 && uptime.rows[0][1]) {
    const Variables status{{"uptime", *uptime.rows[0][1]}};
    const auto uptime_s = static_cast<std::int64_t>(number_of(status, "uptime").value_or(0));
    // Never negative: a server cannot have started before its machine.
    run.started_s = std::max<std::int64_t>(0, boot_time_s() - uptime_s);
  }
  if (const auto process = connection.peer_process()) run.process = *process;
  return run;
}

ServerFactsResult read_account_facts(ServerConnection& connection) {
  const QueryResult version = connection.query("SELECT VERSION()");
  if (!version.ok()) return {version.error, {}};
  ServerFacts facts;
  if (!version.rows.empty()) fill_from_version(version.rows[0].at(0).value_or(""), facts);
  if (SqlError error = read_account(connection, facts); !error.ok()) return {error, {}};
  return {{}, facts};
}

ServerFactsResult read_server_facts(ServerConnection& connection) {
  const QueryResult answer = connection.query(kFactsSql);
  if (!answer.ok()) return {answer.error, {}};
  Variables variables;
  for (const SqlRow& row : answer.rows) {
    if (row.size() == 2 && row[0] && row[1]) variables[*row[0]] = *row[1];
  }
  ServerFacts facts;
  fill_from_variables(variables, facts);

  if (SqlError error = read_account(connection, facts); !error.ok()) return {error, {}};
  read_registered_replicas(connection, facts);
  if (facts.log_bin) {
    const BinlogIndexTail tail = read_binlog_index_tail(facts.log_bin_index);
    facts.newest_file = tail.newest_file;
    facts.index_error = tail.error;
    if (!tail.error.empty()) {
      const std::string obstacle =
          read_obstacle(own_ids(), facts.log_bin_index, &facts.index_group);
      if (!obstacle.empty()) facts.index_error += fmt::format("; {} keeps it out", obstacle);
    }
  }
  facts.run = read_server_run(connection);
  if (!connection.is_connected()) return {{2013, "lost the connection while asking"}, {}};
  return {{}, facts};
}

}  // namespace binlane
