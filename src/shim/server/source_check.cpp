// The judgement on a server's facts: may it be a source? (docs/SAFETY.md has the list.)

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <span>

#include "base/error.h"
#include "shim/binlog/binlog_paths.h"
#include "shim/server/server_facts.h"

namespace binlane {
namespace {

// Major and minor version, as version_number / 100.
constexpr std::uint32_t kTestedMariadb[] = {1011, 1108};
constexpr std::uint32_t kTestedMysql[] = {907};
// Nothing is larger than this, so no cache is renamed.
constexpr std::uint64_t kNoRename = std::numeric_limits<std::uint64_t>::max();
// Since then MySQL says source and replica.
constexpr std::uint32_t kOldestMysql = 80'026;

}  // namespace

std::string unreadable_binlog_remedy(const std::string& group) {
  if (group.empty())
    return "run binlaned as the server's user: the drop-in packaging/systemd/binlaned-server.conf";
  return fmt::format(
      "systemctl edit binlaned, with the lines [Service] and SupplementaryGroups={}; then "
      "systemctl restart binlaned. Or run it as the server's user (binlaned-server.conf)",
      group);
}

namespace {

// How the server writes its binlog. Binlane ships the binlog files' bytes as they are written, and
// calls them synced when the server has synced these files.
void check_binlog_writer(const ServerFacts& facts, SourceCheck& check) {
  if (facts.binlog_in_redo)
    check.refusals.push_back(
        {"persist_binlog_to_redo", "ON", "OFF",
         "SET GLOBAL persist_binlog_to_redo=OFF, and in the [mysqld] section; otherwise a commit "
         "is "
         "durable in InnoDB's redo log, and its binlog file is written and synced later, so that "
         "nothing in the file tells what the server has committed"});
  if (facts.binlog_parallel_flush)
    check.refusals.push_back(
        {"binlog_parallel_flush", "ON", "OFF",
         "SET GLOBAL binlog_parallel_flush=OFF, and in the [mysqld] section; otherwise commits go "
         "to "
         "a buffer in memory, from which a background thread writes the binlog file later (and "
         "only where sync_binlog is not 1)"});
}

void check_binlog(const ServerFacts& facts, SourceCheck& check) {
  if (!facts.log_bin) {
    check.refusals.push_back({"log_bin", "OFF", "ON",
                              "add log_bin=binlog to the [mysqld] section and restart the server"});
    return;
  }
  if (!facts.binlog_storage_engine.empty()) {
    // It has no binlog files and no index, so nothing else about them can be judged.
    check.refusals.push_back(
        {"binlog_storage_engine", facts.binlog_storage_engine, "none",
         "remove binlog_storage_engine from the [mysqld] section and restart the server: Binlane "
         "ships binlog files, and this server writes its binlog into the engine's own pages, in "
         "another format"});
    return;
  }
  check_binlog_writer(facts, check);
  if (facts.sync_binlog != 1)
    check.refusals.push_back(
        {"sync_binlog", std::to_string(facts.sync_binlog), "1",
         "SET GLOBAL sync_binlog=1, and in the [mysqld] section; otherwise replicas may be handed "
         "transactions that the source loses in a power cut"});
  if (facts.binlog_encrypted)
    check.refusals.push_back(
        {facts.flavour == ServerFlavour::mariadb ? "encrypt_binlog" : "binlog_encryption", "ON",
         "OFF", "switch binlog encryption off; the replicas' archives must be readable"});
  if (facts.binlog_checksum == "NONE")
    check.warnings.push_back(
        {"binlog_checksum", "NONE", "CRC32",
         "SET GLOBAL binlog_checksum=CRC32, and in the [mysqld] section; otherwise an event that a "
         "full disk cut in half may count as whole with what was written after it"});
  if (facts.index_error.empty()) return;
  // What cannot be reached for lack of rights is a question of the account; what does not exist is
  // not.
  const bool denied = facts.index_error.find(errno_text(EACCES)) != std::string::npos;
  check.refusals.push_back(
      {"log_bin_index", facts.index_error, "a file that this daemon can read",
       denied ? unreadable_binlog_remedy(facts.index_group)
              : fmt::format("binlaned has to run on the server's host and see its folders as the "
                            "server does (datadir {}, log_bin_basename {})",
                            facts.data_directory, facts.log_bin_basename)});
}

void check_durability(const ServerFacts& facts, SourceCheck& check) {
  if (facts.innodb_flush_log_at_trx_commit != 1)
    check.refusals.push_back({"innodb_flush_log_at_trx_commit",
                              std::to_string(facts.innodb_flush_log_at_trx_commit), "1",
                              "SET GLOBAL innodb_flush_log_at_trx_commit=1, and in the [mysqld] "
                              "section"});
  if (facts.flavour != ServerFlavour::mysql) return;
  if (facts.binlog_error_action != "ABORT_SERVER")
    check.refusals.push_back({"binlog_error_action", facts.binlog_error_action, "ABORT_SERVER",
                              "SET GLOBAL binlog_error_action=ABORT_SERVER"});
  if (facts.semi_sync_wait_for_replicas && *facts.semi_sync_wait_for_replicas != 1)
    check.refusals.push_back({"rpl_semi_sync wait for replica count",
                              std::to_string(*facts.semi_sync_wait_for_replicas), "1",
                              "SET GLOBAL rpl_semi_sync_source_wait_for_replica_count=1; Binlane "
                              "counts the replicas itself"});
}

}  // namespace

std::optional<Finding> find_missing_privileges(const ServerFacts& facts) {
  const std::string missing =
      missing_privileges(facts.privileges, words_of(facts.flavour).source_privileges);
  if (missing.empty()) return std::nullopt;
  const std::string account = quoted_account(facts.account);
  return Finding{"privileges", fmt::format("{} lacks {}", account, missing), missing,
                 fmt::format("GRANT {} ON *.* TO {};", missing, account)};
}

namespace {

void check_identity(const ServerFacts& facts, std::uint32_t acker_server_id, SourceCheck& check) {
  if (acker_server_id == 0)
    check.refusals.push_back({"acker_server_id", "0", "a number above 0 that no server uses",
                              "set source.acker_server_id in the configuration"});
  if (acker_server_id != 0 && acker_server_id == facts.server_id)
    check.refusals.push_back(
        {"acker_server_id", fmt::format("{}, the server's own server_id", acker_server_id),
         "a number that no server uses", "set another source.acker_server_id"});
  for (const std::uint32_t id : facts.registered_replica_ids) {
    if (id != acker_server_id) continue;
    check.warnings.push_back(
        {"acker_server_id", fmt::format("{}, and a replica is registered with that server_id", id),
         "a number that no server uses",
         "if another replica has this server_id, the two will disconnect each other for ever: set "
         "another source.acker_server_id"});
    break;
  }
}

// Of a version that was not tested. In which steps a cache becomes a binlog differs from one
// version of MariaDB to the next, and a reader sees every one of them.
void check_renames(const ServerFacts& facts, SourceCheck& check) {
  const auto threshold = facts.binlog_large_commit_threshold;
  if (!threshold || *threshold == kNoRename) return;
  check.warnings.push_back(
      {"binlog_large_commit_threshold", std::to_string(*threshold), std::to_string(kNoRename),
       fmt::format("SET GLOBAL binlog_large_commit_threshold={}, and in the [mysqld] section; "
                   "otherwise this version makes the next binlog out of a larger transaction's "
                   "cache, in steps that Binlane was not tested with, and may be taken for "
                   "restarted: commits would then wait, and be reported as exposed",
                   kNoRename)});
}

void check_version(const ServerFacts& facts, SourceCheck& check) {
  if (facts.semi_sync_words == SemiSyncWords::none)
    check.refusals.push_back({"rpl_semi_sync", "the server has no semi-sync variables", "semi-sync",
                              facts.flavour == ServerFlavour::mysql
                                  ? "INSTALL PLUGIN rpl_semi_sync_source SONAME "
                                    "'semisync_source.so';"
                                  : "use MariaDB 10.11 or newer"});
  const bool mariadb = facts.flavour == ServerFlavour::mariadb;
  if (!mariadb && facts.version_number < kOldestMysql) {
    check.refusals.push_back({"version", facts.version, "MySQL 8.0.26 or newer",
                              "this version does not know the statements with SOURCE and REPLICA"});
    return;
  }
  const std::span<const std::uint32_t> tested =
      mariadb ? std::span<const std::uint32_t>(kTestedMariadb) : kTestedMysql;
  if (std::ranges::find(tested, facts.version_number / 100) != tested.end()) return;
  check.warnings.push_back({"version", facts.version, "MariaDB 10.11 or 11.8, or MySQL 9.7",
                            "Binlane was not tested with this version: try a promotion and the "
                            "way back before you rely on it"});
  check_renames(facts, check);
}

void check_gtids(const ServerFacts& facts, bool both_roles, SourceCheck& check) {
  if (facts.gtid_mode) return;
  const std::string remedy = words_of(facts.flavour).gtid_rule_remedy;
  if (both_roles)
    check.refusals.push_back({"gtid_mode", "not ON",
                              "ON on a host with a [source] and a [replica] section",
                              remedy + ", because a promotion and a rejoin go by GTIDs"});
  else
    check.warnings.push_back(
        {"gtid_mode", "not ON", "ON",
         remedy + ". Without it the replicas' servers have to follow by file and position, binlane "
                  "does not know what they have executed, and no host can be promoted"});
}

void check_file_number(const ServerFacts& facts, SourceCheck& check) {
  if (facts.flavour != ServerFlavour::mariadb) return;  // MySQL compares numbers correctly
  switch (file_number_state(facts.newest_file)) {
    case FileNumberState::fine:
      return;
    case FileNumberState::near_limit:
      check.warnings.push_back(
          {"binlog file number", std::to_string(facts.newest_file),
           fmt::format("below {}", kFileNumberWarning),
           fmt::format("Binlane ends semi-sync at {}, because from the next number on the server "
                       "waits for no replica: plan a {} and a new stream",
                       kFileNumberLimit - 1, words_of(facts.flavour).reset_binlogs)});
      return;
    case FileNumberState::beyond_limit:
      check.warnings.push_back(
          {"binlog file number", std::to_string(facts.newest_file),
           fmt::format("below {}", kFileNumberLimit),
           fmt::format("at this number the server waits for no replica, so the "
                       "source is ASYNC for good: run {} and begin a new "
                       "stream",
                       words_of(facts.flavour).reset_binlogs)});
      return;
  }
}

}  // namespace

std::string to_string(const Finding& finding) {
  return fmt::format("{}: found {}, wanted {}; {}", finding.key, finding.found, finding.wanted,
                     finding.remedy);
}

SourceCheck check_source(const ServerFacts& facts, std::uint32_t acker_server_id, bool both_roles) {
  SourceCheck check;
  check_binlog(facts, check);
  check_durability(facts, check);
  check_version(facts, check);
  check_gtids(facts, both_roles, check);
  if (auto missing = find_missing_privileges(facts)) check.refusals.push_back(std::move(*missing));
  check_identity(facts, acker_server_id, check);
  check_file_number(facts, check);
  return check;
}

}  // namespace binlane
