// SimServer: a simulated server as its source's control asks and steers it. It stands for the two
// SQL connections, the statement for read_only, and the dump connection (SimDrain).
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "control/source/source_server.h"
#include "mysqld.h"
#include "sim_drain.h"
#include "sim_standby.h"
#include "support/virtual_clock.h"

namespace binlane::sim {

class SimServer final : public SourceServer {
 public:
  // `standby`: answers for the server while it is a replica; null: it never is one. Everything
  // given must outlive this object.
  SimServer(const test::VirtualClock& clock, Mysqld& server, const BinlogStore& binlogs,
            SimStandby* standby);

  // SourceServer.
  Status connect() override;
  bool is_connected() const override { return polls_connected() && commands_connected(); }
  Status connect_polls() override;
  bool polls_connected() const override { return is_run(polls_run_); }
  Status connect_commands() override;
  bool commands_connected() const override { return is_run(commands_run_); }
  Result<ServerFacts> read_facts() override;
  ServerRun read_run() override { return run_of(server_); }
  Result<ListedBinlogs> list_binlogs(const ServerFacts& facts) override;
  Result<ServerPollResult> poll() override;
  bool on_since_start() override { return server_.enabled_by_settings(); }
  Status prepare(WaitPoint point, std::uint64_t server_timeout_ms,
                 std::uint64_t our_timeout_ms) override;
  Status set_wait_point(WaitPoint point) override;
  Status set_server_timeout(std::uint64_t server_timeout_ms, std::uint64_t) override;
  Status set_wait_no_replica(bool) override { return of_commands(); }
  Status set_enabled(bool on) override;
  Status hold_commits(const SemiSyncStatus& seen, std::uint64_t our_timeout_ms) override;
  const SemiSyncNames& names() const override { return names_; }
  void begin_read_only() override;
  ReadOnlyState read_only_state() const override;
  std::string read_only_failure() const override { return kGone; }
  bool read_only_waits() override { return polls_connected() && server_.read_only_pending(); }
  Result<bool> is_read_only() override;
  Status lift_read_only() override;
  SimDrain& dump() override { return drain_; }
  void start(DumpConnection::Register decide) override;
  void stop() override { drain_.stop(); }
  void try_login(std::uint64_t) override {}
  std::string login_problem() const override { return {}; }
  ServerLife life(const ServerRun& run) override;
  Result<KilledServer> kill(const ServerRun& run) override;
  Result<bool> switch_off() override;
  std::string replication_problem(std::uint16_t) override { return {}; }

  // --- for checks
  // When the server was last polled, and whether that poll shows if all semi-sync clients are ours.
  std::uint64_t polled_ns() const { return polled_ns_; }
  bool polled_settled() const { return polled_settled_; }
  // Called before the server is told to release waiting commits.
  std::function<void()> turning_off;

 private:
  static constexpr const char* kGone = "the server is gone";
  bool is_replica() const { return standby_ != nullptr && standby_->is_replica(); }
  bool is_run(std::uint32_t run) const { return server_.up() && run == server_.run(); }
  Status of_commands() const { return commands_connected() ? Status::ok() : Status::failed(kGone); }

  const test::VirtualClock& clock_;
  Mysqld& server_;
  const BinlogStore& binlogs_;
  SimStandby* const standby_;
  const SemiSyncNames names_;
  DumpConnection::Register decide_;
  SimDrain drain_;
  // The run of the server to which the connections were made; 0: none.
  std::uint32_t polls_run_ = 0;
  std::uint32_t commands_run_ = 0;
  std::uint32_t read_only_run_ = 0;  // the run of the server to which the request was sent
  bool read_only_failed_ = false;    // the request could not even be sent
  std::uint64_t timeout_ms_ = 0;     // the last one that was set
  std::uint64_t polled_ns_ = 0;
  bool polled_settled_ = false;
};

}  // namespace binlane::sim
