// SqlSourceServer: a source's real server, by SQL over its unix socket, and by its binlog index.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "control/config/config.h"
#include "control/source/login_probe.h"
#include "control/source/read_only_setter.h"
#include "control/source/source_server.h"
#include "shim/server/dump_drain.h"
#include "shim/server/semi_sync_control.h"
#include "shim/server/server_connection.h"

namespace binlane {

class SqlSourceServer final : public SourceServer {
 public:
  explicit SqlSourceServer(const SourceConfig& source);

  Status connect() override;
  bool is_connected() const override {
    return poll_connection_.is_connected() && command_connection_.is_connected();
  }
  Status connect_polls() override;
  bool polls_connected() const override { return poll_connection_.is_connected(); }
  Status connect_commands() override;
  bool commands_connected() const override { return command_connection_.is_connected(); }
  bool is_down() const override { return down_; }

  Result<ServerFacts> read_facts() override;
  ServerRun read_run() override { return read_server_run(poll_connection_); }
  Result<ListedBinlogs> list_binlogs(const ServerFacts& facts) override;

  Result<ServerPollResult> poll() override;
  bool lost_semi_sync() const override { return lost_semi_sync_; }
  bool on_since_start() override { return poller_->on_since_start(); }
  Status prepare(WaitPoint point, std::uint64_t server_timeout_ms,
                 std::uint64_t our_timeout_ms) override;
  Status set_wait_point(WaitPoint point) override;
  Status set_server_timeout(std::uint64_t server_timeout_ms, std::uint64_t our_timeout_ms) override;
  Status set_wait_no_replica(bool on) override;
  Status set_enabled(bool on) override;
  Status hold_commits(const SemiSyncStatus& seen, std::uint64_t our_timeout_ms) override;
  const SemiSyncNames& names() const override { return commander_->names(); }

  void begin_read_only() override { read_only_setter_.begin(); }
  ReadOnlyState read_only_state() const override { return read_only_setter_.state(); }
  std::string read_only_failure() const override { return read_only_setter_.problem(); }
  bool read_only_waits() override { return read_only_setter_.is_pending(poll_connection_); }
  Result<bool> is_read_only() override;
  Status lift_read_only() override;

  DumpDrain& dump() override { return drain_; }
  void start(DumpConnection::Register decide) override;
  void stop() override { drain_.stop(); }
  void try_login(std::uint64_t now_ns) override { login_.poll(now_ns); }
  std::string login_problem() const override { return login_.problem(); }

  ServerLife life(const ServerRun& run) override;
  Result<KilledServer> kill(const ServerRun& run) override;
  Result<bool> switch_off() override;
  std::string replication_problem(std::uint16_t feed_port) override;

  // The connection for commands, for others that ask the same server in another role.
  ServerConnection& commands() noexcept { return command_connection_; }

 private:
  // Of the server that the connection for commands leads to.
  const ServerWords& words() const noexcept { return command_connection_.words(); }
  const std::string socket_;
  bool down_ = false;  // at the last attempt to connect
  ServerConnection poll_connection_;
  ServerConnection command_connection_;
  std::optional<SemiSyncControl> poller_;
  std::optional<SemiSyncControl> commander_;
  std::string binlog_index_;     // the index file's path
  bool lost_semi_sync_ = false;  // since the last poll
  DumpConnection::Register decide_;
  DumpDrain drain_;
  LoginProbe login_;
  ReadOnlySetter read_only_setter_;
};

}  // namespace binlane
