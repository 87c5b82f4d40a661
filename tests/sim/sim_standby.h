// SimStandby: the server beside a simulated standby, as promotion and rejoin ask it. As a replica
// it is a FedServer: what it has executed is found by reading the archived files up to there, as
// MariaDB would have counted. From the beginning of a stream of its own until it rejoins it is a
// Mysqld.
#pragma once

#include <string>
#include <vector>

#include "binlog_store.h"
#include "control/failover/standby_server.h"
#include "mysqld.h"
#include "replica_host.h"
#include "support/virtual_clock.h"

namespace binlane::sim {

class SimStandby final : public StandbyServer {
 public:
  // `server` writes `binlogs`. Everything given must outlive this object.
  SimStandby(const test::VirtualClock& clock, ReplicaHost& own, Mysqld& server,
             BinlogStore& binlogs, bool is_replica)
      : clock_(clock), own_(own), server_(server), binlogs_(binlogs), is_replica_(is_replica) {}

  Status answers() override;
  const ServerWords& words() const noexcept override { return words_of(ServerFlavour::mariadb); }
  Status check_fit(std::vector<std::string>& warnings) override;
  Result<Positions> positions() override;
  bool covers(const std::string& state, const std::string& wanted) const override;
  Status stop_following() override;
  Result<NewStream> begin_stream() override;
  Status stop_writes() override;
  Status follow(const FeedAddress& feed, const std::string& gtid, std::string& report) override;
  Result<std::uint32_t> follows(std::uint16_t feed_port) override;

  // It is a replica of somebody's, or is to become one.
  bool is_replica() const { return is_replica_; }
  // An operator stops it, and gives it a copy of another server's data.
  void rebuild();
  // It follows the feed from where the stream of its own ended.
  void become_replica();
  Mysqld& server() { return server_; }
  BinlogStore& binlogs() { return binlogs_; }

 private:
  const test::VirtualClock& clock_;
  ReplicaHost& own_;
  Mysqld& server_;
  BinlogStore& binlogs_;
  bool is_replica_;
  bool rebuilt_ = false;            // and has followed nobody since
  std::uint32_t flushed_from_ = 0;  // the newest file when a flush was asked for; 0: none was
};

}  // namespace binlane::sim
