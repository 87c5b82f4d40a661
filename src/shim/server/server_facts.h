// ServerFacts: what the server on this host is and how it is set up, and the checks that decide
// whether it may be a source.
//
// Reading (SQL, ordinary threads) and judging (pure) are separate, so that every refusal has a unit
// test. No statement here takes the server's LOCK_log: reading facts never waits for a commit that
// waits for us.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "shim/server/server_connection.h"
#include "shim/server/server_words.h"

namespace binlane {

// The words a server uses for semi-sync: MariaDB and older MySQL say master/slave, MySQL from
// 8.0.26 on may say source/replica.
enum class SemiSyncWords { none, master_slave, source_replica };

// The host as which our own dump connection registers with the server, so that it can be told there
// from another replica that has our server_id.
inline constexpr std::string_view kAckerHost = "binlane";

// ServerRun: the identity of one run of a server process. Two equal runs are one uninterrupted life
// of the server; anything else is a restart. [S6]
struct ServerRun {
  std::string boot_id;         // of the machine; process ids start over at a boot
  PeerProcess process;         // pid 0 when unknown: then started_s decides
  std::int64_t started_s = 0;  // seconds since boot, from the server's Uptime; ±2 s

  bool is_same_as(const ServerRun& other) const noexcept;
};

// Of the machine, until it boots again.
std::string this_boot_id();

// One line, for durable state; parse_server_run reads it back.
std::string to_string(const ServerRun& run);
std::optional<ServerRun> parse_server_run(const std::string& text);

struct ServerFacts {
  ServerFlavour flavour = ServerFlavour::mariadb;
  std::string version;               // as the server words it
  std::uint32_t version_number = 0;  // 10.11.19 → 101119, 9.7.4 → 90704
  std::uint32_t server_id = 0;
  std::string server_uuid;  // MySQL only
  bool log_bin = false;
  std::string data_directory;    // @@datadir
  std::string log_bin_basename;  // path without the number; absolute (binlog_paths.h)
  std::string log_bin_index;     // path; absolute
  std::uint64_t sync_binlog = 0;
  std::uint64_t innodb_flush_log_at_trx_commit = 0;
  bool binlog_encrypted = false;
  std::string binlog_checksum;        // NONE or CRC32
  std::string binlog_storage_engine;  // MariaDB 12.3: which keeps the binlog; empty: files do
  // MariaDB from 11.7 on: a larger transaction's cache is renamed to the next binlog.
  std::optional<std::uint64_t> binlog_large_commit_threshold;
  bool binlog_in_redo = false;                  // forks of MySQL: persist_binlog_to_redo
  bool binlog_parallel_flush = false;           // forks of MySQL
  std::optional<std::uint32_t> gtid_domain_id;  // MariaDB only
  std::string binlog_error_action;              // MySQL only
  std::optional<std::uint64_t> semi_sync_wait_for_replicas;  // MySQL only
  SemiSyncWords semi_sync_words = SemiSyncWords::none;
  bool read_only = false;  // refuses an application's writes
  bool fenced = false;     // refuses all writes: in MySQL, super_read_only
  bool gtid_mode = true;   // its transactions have GTIDs; always so in MariaDB
  // Global (ON *.*) privileges of the account we use, in capitals; ALL PRIVILEGES as one entry.
  std::set<std::string> privileges;
  std::string account;  // CURRENT_USER(), for the GRANT we propose
  // server ids that replicas registered with, other than Binlane's own dump connections; only
  // filled when the account may see them.
  std::vector<std::uint32_t> registered_replica_ids;
  // A binlaned's own dump connection is registered; it is not among those.
  bool acker_registered = false;
  // Number of the newest binlog file, from the index file; 0 when we cannot read it.
  std::uint32_t newest_file = 0;
  std::string index_error;  // why the index could not be read, and what prevents it
  std::string index_group;  // whose members could read it, where that is known
  ServerRun run;
};

// The last component of log_bin_basename: binlog files are named <this>.<number>.
std::string binlog_base_name(const ServerFacts& facts);

struct ServerFactsResult {
  SqlError error;
  ServerFacts facts;

  bool ok() const noexcept { return error.ok(); }
};

ServerFactsResult read_server_facts(ServerConnection& connection);
// Our account alone: its name, its privileges, and the server's flavour and version.
ServerFactsResult read_account_facts(ServerConnection& connection);

// The identity of the run that `connection` is connected to (one statement at most).
ServerRun read_server_run(ServerConnection& connection);

// One reason that prevents it, worded for the operator.
struct Finding {
  std::string key;     // the server's variable, or a topic such as "privileges"
  std::string found;   // what was found
  std::string wanted;  // what is required
  std::string remedy;  // what to do
};

// "sync_binlog is 0, wanted 1: SET GLOBAL sync_binlog=1 …"
std::string to_string(const Finding& finding);

struct SourceCheck {
  std::vector<Finding> refusals;  // any of these: not a source
  std::vector<Finding> warnings;

  bool accepted() const noexcept { return refusals.empty(); }
};

// `both_roles`: the host is to be a standby, too, before or after it is the source.
SourceCheck check_source(const ServerFacts& facts, std::uint32_t acker_server_id,
                         bool both_roles = false);
// What the account lacks that a source needs, with the remedy; nothing: the account is sufficient.
std::optional<Finding> find_missing_privileges(const ServerFacts& facts);

// What to do if binlaned may not read the binlogs, and members of `group` (or nobody else) may.
std::string unreadable_binlog_remedy(const std::string& group);

// MariaDB (10.11, 11.8) compares binlog names as text in its semi-sync code. binlog.1000000 sorts
// before binlog.999999, so every commit from that file on counts as acknowledged at once, with no
// replica alive, while the server's status says ON. MySQL compares correctly. [S17]
inline constexpr std::uint32_t kFileNumberWarning = 990'000;
inline constexpr std::uint32_t kFileNumberLimit = 1'000'000;
enum class FileNumberState { fine, near_limit, beyond_limit };

constexpr FileNumberState file_number_state(std::uint32_t file) noexcept {
  if (file >= kFileNumberLimit) return FileNumberState::beyond_limit;
  return file >= kFileNumberWarning ? FileNumberState::near_limit : FileNumberState::fine;
}

}  // namespace binlane
