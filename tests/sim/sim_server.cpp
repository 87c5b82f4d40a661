#include "sim_server.h"

#include <utility>

#include "control/fallback/other_ackers.h"

namespace binlane::sim {
namespace {

// A poll of the server's clients counts only once our own connection is this old, because then some
// look came soon after its beginning.
constexpr std::uint64_t kSettledNs = AckerWatch::kSettleNs + 1500 * kNanosPerMilli;
constexpr std::uint32_t kServerId = 1;

SemiSyncWords semi_sync_words_of(const Mysqld& server) {
  return server.temperament().grammar == GtidGrammar::mysql ? SemiSyncWords::source_replica
                                                            : SemiSyncWords::master_slave;
}

}  // namespace

SimServer::SimServer(const test::VirtualClock& clock, Mysqld& server, const BinlogStore& binlogs,
                     SimStandby* standby)
    : clock_(clock),
      server_(server),
      binlogs_(binlogs),
      standby_(standby),
      names_(semi_sync_names(semi_sync_words_of(server))),
      drain_(clock, server, [this](const ServerRun& run) { return decide_(run); }) {}

void SimServer::start(DumpConnection::Register decide) {
  decide_ = std::move(decide);
  drain_.start();
}

Status SimServer::connect() {
  if (!server_.up()) return Status::failed(kGone);
  polls_run_ = commands_run_ = server_.run();
  return Status::ok();
}

Status SimServer::connect_polls() {
  if (!server_.up()) return Status::failed(kGone);
  polls_run_ = server_.run();
  return Status::ok();
}

Status SimServer::connect_commands() {
  if (is_replica()) return standby_->answers();
  if (!server_.up()) return Status::failed(kGone);
  commands_run_ = server_.run();
  return Status::ok();
}

Result<ServerFacts> SimServer::read_facts() {
  if (!polls_connected()) return Status::failed(kGone);
  ServerFacts facts;
  const Temperament& temperament = server_.temperament();
  facts.version = temperament.version;
  facts.version_number = temperament.version_number;
  facts.flavour = flavour_of(facts.version);
  const bool mariadb = facts.flavour == ServerFlavour::mariadb;
  facts.server_id = kServerId;
  facts.log_bin = true;
  facts.log_bin_basename = std::string(kBinlogFolder) + "/" + kBasename;
  facts.log_bin_index = std::string(kBinlogFolder) + "/" + kBasename + ".index";
  facts.sync_binlog = server_.sync_binlog();
  facts.innodb_flush_log_at_trx_commit = 1;
  facts.binlog_checksum = "CRC32";
  if (mariadb) facts.gtid_domain_id = 0;
  if (!mariadb) facts.binlog_error_action = "ABORT_SERVER";
  if (!mariadb) facts.semi_sync_wait_for_replicas = 1;
  facts.semi_sync_words = semi_sync_words_of(server_);
  facts.read_only = server_.read_only();
  facts.privileges = {"ALL PRIVILEGES"};
  facts.account = "binlane@localhost";
  facts.newest_file = server_.last_listed();
  facts.run = run_of(server_);
  return facts;
}

Result<ListedBinlogs> SimServer::list_binlogs(const ServerFacts&) {
  return ListedBinlogs{kBinlogFolder, kBasename, binlogs_.first(), server_.last_listed(),
                       server_.first_file_of_run()};
}

Result<ServerPollResult> SimServer::poll() {
  if (!polls_connected()) return Status::failed(kGone);
  ServerPollResult result;
  SemiSyncStatus& status = result.status;
  status.status_on = server_.status_on();
  status.enabled = server_.enabled();
  status.wait_no_replica = true;
  status.read_only = server_.read_only();
  status.timeout_ms = timeout_ms_;
  status.wait_point = server_.after_commit() ? WaitPoint::after_commit : WaitPoint::after_sync;
  status.clients = server_.clients();
  status.yes_tx = server_.counters().yes_tx;
  status.no_tx = server_.counters().no_tx;
  status.no_times = server_.counters().no_times;
  status.wait_sessions = server_.wait_sessions();
  status.sync_binlog = server_.sync_binlog();
  status.innodb_flush_log_at_trx_commit = 1;
  result.newest_file = server_.last_listed();
  polled_ns_ = clock_.time_ns;
  polled_settled_ =
      drain_.connected() && clock_.time_ns >= drain_.connected_since_ns() + kSettledNs;
  return result;
}

Status SimServer::set_wait_point(WaitPoint point) {
  if (Status connected = of_commands(); !connected.is_ok()) return connected;
  server_.set_after_commit(point == WaitPoint::after_commit);
  return Status::ok();
}

Status SimServer::prepare(WaitPoint point, std::uint64_t server_timeout_ms,
                          std::uint64_t our_timeout_ms) {
  if (Status set = set_wait_point(point); !set.is_ok()) return set;
  return set_server_timeout(server_timeout_ms, our_timeout_ms);
}

Status SimServer::set_server_timeout(std::uint64_t server_timeout_ms, std::uint64_t) {
  if (Status connected = of_commands(); !connected.is_ok()) return connected;
  timeout_ms_ = server_timeout_ms;
  server_.set_timeout(server_timeout_ms * kNanosPerMilli);
  return Status::ok();
}

Status SimServer::set_enabled(bool on) {
  if (Status connected = of_commands(); !connected.is_ok()) return connected;
  if (!on && turning_off) turning_off();
  server_.set_enabled(on);
  return Status::ok();
}

Status SimServer::hold_commits(const SemiSyncStatus& seen, std::uint64_t) {
  if (!polls_connected()) return Status::failed(kGone);
  server_.set_timeout(std::uint64_t{UINT32_MAX} * kNanosPerMilli);
  if (!seen.status_on && seen.enabled) server_.set_enabled(false);
  if (!seen.status_on) server_.set_enabled(true);
  return Status::ok();
}

void SimServer::begin_read_only() {
  if (read_only_state() == ReadOnlyState::sending) return;
  read_only_failed_ = !server_.up();
  if (read_only_failed_) return;
  read_only_run_ = server_.run();
  server_.begin_read_only();
}

ReadOnlyState SimServer::read_only_state() const {
  if (read_only_failed_) return ReadOnlyState::failed;
  if (read_only_run_ == 0) return ReadOnlyState::idle;
  if (!is_run(read_only_run_)) return ReadOnlyState::failed;
  return server_.read_only() ? ReadOnlyState::done : ReadOnlyState::sending;
}

Result<bool> SimServer::is_read_only() {
  if (!commands_connected()) return Status::failed(kGone);
  return server_.read_only();
}

Status SimServer::lift_read_only() {
  if (Status connected = of_commands(); !connected.is_ok()) return connected;
  server_.lift_read_only();
  read_only_run_ = 0;
  read_only_failed_ = false;
  return Status::ok();
}

ServerLife SimServer::life(const ServerRun& run) {
  return server_.up() && run_of(server_).is_same_as(run) ? ServerLife::alive : ServerLife::ended;
}

Result<KilledServer> SimServer::kill(const ServerRun& run) {
  if (!server_.up() || !run_of(server_).is_same_as(run)) return Status::failed(kGone);
  server_.kill();
  return KilledServer{run.process.pid, KillOutcome::killed};
}

Result<bool> SimServer::switch_off() {
  if (is_replica()) return false;
  if (!commands_connected()) return Status::failed(kGone);
  const bool was_on = server_.enabled();
  if (was_on) server_.set_enabled(false);
  return was_on;
}

}  // namespace binlane::sim
