#include "control/source/sql_source_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "control/failover/following.h"
#include "shim/binlog/binlog_index.h"
#include "shim/binlog/binlog_index_tail.h"
#include "shim/server/server_process.h"
#include "shim/server/server_run_files.h"

namespace binlane {
namespace {

// The largest timeout that a server takes, in milliseconds: 49 days.
constexpr std::uint64_t kLongestTimeoutMs = UINT32_MAX;
constexpr std::uint32_t kErrorUnknownVariable = 1193;

ServerAccount account_of(const SourceConfig& source) {
  return {source.server_socket, source.server_user, source.server_password};
}

DumpDrainOptions drain_options(const SourceConfig& source) {
  DumpDrainOptions options;
  options.account = account_of(source);
  options.stream.server_id = static_cast<std::uint32_t>(source.acker_server_id);
  return options;
}

Status status_of(const SqlError& error) {
  return error.ok() ? Status::ok() : Status::failed(to_string(error));
}

}  // namespace

SqlSourceServer::SqlSourceServer(const SourceConfig& source)
    : socket_(source.server_socket),
      poll_connection_(account_of(source)),
      command_connection_(account_of(source)),
      drain_(drain_options(source), [this](const ServerRun& run) { return decide_(run); }),
      login_(account_of(source)),
      read_only_setter_(account_of(source)) {}

void SqlSourceServer::start(DumpConnection::Register decide) {
  BL_ASSERT(decide && !decide_);
  decide_ = std::move(decide);
  drain_.start();
}

Status SqlSourceServer::connect() {
  SqlError error = poll_connection_.connect();
  if (error.ok()) error = command_connection_.connect();
  down_ = error.is_connection_failure();
  return status_of(error);
}

Status SqlSourceServer::connect_polls() {
  const SqlError error = poll_connection_.connect();
  down_ = error.is_connection_failure();
  return status_of(error);
}

Status SqlSourceServer::connect_commands() {
  if (command_connection_.is_connected()) return Status::ok();
  const SqlError error = command_connection_.connect();
  if (error.ok()) return Status::ok();
  return Status::failed(
      fmt::format("cannot connect to the server at {}: {}", socket_, to_string(error)));
}

Result<ServerFacts> SqlSourceServer::read_facts() {
  ServerFactsResult result = read_server_facts(poll_connection_);
  if (!result.ok()) return Status::failed(to_string(result.error));
  // Both use the names of the server that has just answered.
  if (result.facts.semi_sync_words != SemiSyncWords::none) {
    poller_.emplace(poll_connection_, result.facts.semi_sync_words, result.facts.flavour);
    commander_.emplace(command_connection_, result.facts.semi_sync_words, result.facts.flavour);
  }
  binlog_index_ = result.facts.log_bin_index;
  return std::move(result.facts);
}

Result<ListedBinlogs> SqlSourceServer::list_binlogs(const ServerFacts& facts) {
  const BinlogIndex index = read_binlog_index(facts.log_bin_index, facts.log_bin_basename);
  if (!index.error.empty()) return Status::failed(index.error);
  // A file that somebody removed cannot be shipped any more. Whether the other files are still the
  // same stream, and whether a replica needs the missing one, is checked as after a PURGE.
  const std::uint32_t oldest = oldest_present(index);
  if (oldest != index.first)
    log::warning(
        "binlogs_removed",
        "{} lists binlog {}, but that file is missing, so the stream begins with binlog {}. Remove "
        "binlogs with PURGE BINARY LOGS only",
        facts.log_bin_index, oldest - 1, oldest);
  const ServerRunFiles run_files =
      find_server_run_files(facts.log_bin_index, facts.log_bin_basename);
  if (run_files.first == 0) return Status::failed(run_files.error);
  return ListedBinlogs{index.directory, index.basename, oldest, index.last, run_files.first};
}

Result<ServerPollResult> SqlSourceServer::poll() {
  if (!poller_) return Status::failed("the server has no semi-sync");
  SemiSyncPoll poll = poller_->poll();
  lost_semi_sync_ = poll.error.code == kErrorUnknownVariable;
  if (!poll.ok()) {
    // Whatever keeps this connection from getting an answer may be repaired for the next one.
    poll_connection_.close();
    return Status::failed(to_string(poll.error));
  }
  return ServerPollResult{std::move(poll.status),
                          read_binlog_index_tail(binlog_index_).newest_file};
}

Status SqlSourceServer::prepare(WaitPoint point, std::uint64_t server_timeout_ms,
                                std::uint64_t our_timeout_ms) {
  return status_of(commander_->prepare(point, server_timeout_ms, our_timeout_ms));
}

Status SqlSourceServer::set_wait_point(WaitPoint point) {
  return status_of(commander_->set_wait_point(point));
}

Status SqlSourceServer::set_server_timeout(std::uint64_t server_timeout_ms,
                                           std::uint64_t our_timeout_ms) {
  return status_of(commander_->set_server_timeout(server_timeout_ms, our_timeout_ms));
}

Status SqlSourceServer::set_wait_no_replica(bool on) {
  return status_of(commander_->set_wait_no_replica(on));
}

Status SqlSourceServer::set_enabled(bool on) {
  return status_of(commander_->set_enabled(on));
}

Status SqlSourceServer::hold_commits(const SemiSyncStatus& seen, std::uint64_t our_timeout_ms) {
  BL_ASSERT(poller_.has_value());
  SqlError error = poller_->set_server_timeout(kLongestTimeoutMs, our_timeout_ms);
  // No commit waits while the status is OFF, so switching it off and on releases none.
  if (error.ok() && !seen.status_on && seen.enabled) error = poller_->set_enabled(false);
  if (error.ok() && !seen.status_on) error = poller_->set_enabled(true);
  return status_of(error);
}

Result<bool> SqlSourceServer::is_read_only() {
  const QueryResult found =
      command_connection_.query(fmt::format("SELECT @@GLOBAL.{}", words().fence));
  if (!found.ok()) return Status::failed(to_string(found.error));
  if (found.rows.empty()) return Status::failed("the server returned no row");
  return found.rows[0][0] == "1";
}

// In MySQL this ends super_read_only too.
Status SqlSourceServer::lift_read_only() {
  return status_of(command_connection_.set_global("read_only", "0"));
}

ServerLife SqlSourceServer::life(const ServerRun& run) {
  if (run.process.pid <= 0 || run.boot_id.empty()) return ServerLife::unknown;
  // A process of an earlier boot has ended with it.
  if (run.boot_id != this_boot_id()) return ServerLife::ended;
  return is_alive(run.process) ? ServerLife::alive : ServerLife::ended;
}

Result<KilledServer> SqlSourceServer::kill(const ServerRun& run) {
  PeerProcess process;
  if (std::string problem = find_server_process(command_connection_, run, process);
      !problem.empty())
    return Status::failed(std::move(problem));
  KilledServer killed{process.pid, KillOutcome::gone};
  if (std::string problem = kill_server_process(process, killed.outcome); !problem.empty())
    return Status::failed(std::move(problem));
  return killed;
}

Result<bool> SqlSourceServer::switch_off() {
  const QueryResult enabled =
      command_connection_.query(fmt::format("SELECT @@GLOBAL.{}", words().semi_sync_enable));
  // Without the plugin nothing waits.
  if (enabled.error.code == kErrorUnknownVariable) return false;
  if (!enabled.ok())
    return Status::failed(fmt::format("cannot read whether the server's semi-sync is on: {}",
                                      to_string(enabled.error)));
  if (enabled.rows.empty() || enabled.rows[0][0] != "1") return false;
  const SqlError error = command_connection_.set_global(words().semi_sync_enable, "OFF");
  if (error.ok()) return true;
  return Status::failed(
      fmt::format("cannot switch the server's semi-sync OFF: {}", to_string(error)));
}

std::string SqlSourceServer::replication_problem(std::uint16_t feed_port) {
  const QueryResult status = command_connection_.query_or_close(words().show_replica_status);
  return binlane::replication_problem(words(), status, feed_port);
}

}  // namespace binlane
