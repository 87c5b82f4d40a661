// SqlStandby: the SQL of promotion and rejoin, in the words of the server that is connected.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/position.h"
#include "control/config/config.h"
#include "control/failover/standby_server.h"
#include "shim/binlog/gtid_set.h"
#include "shim/server/server_connection.h"

namespace binlane {

class SqlStandby final : public StandbyServer {
 public:
  // What ReplicaSide tells of this host's archive. Only `executed` takes long.
  struct FedArchive {
    std::function<Result<GtidSet>()> executed;  // what the server can have executed as a replica
    std::function<Result<GtidGrammar>()> kind;  // of the server that writes the binlogs
    std::function<Position()> end;              // of the whole event groups in it
  };

  // All must outlive this object. `sql` is connected when it is needed.
  SqlStandby(const Config& config, ServerConnection& sql, FedArchive fed)
      : config_(config), sql_(sql), archive_(std::move(fed)) {}

  Status answers() override;
  const ServerWords& words() const noexcept override { return sql_.words(); }
  Status check_fit(std::vector<std::string>& warnings) override;
  Result<Positions> positions() override;
  bool covers(const std::string& state, const std::string& wanted) const override;
  Status stop_following() override;
  Result<NewStream> begin_stream() override;
  Status stop_writes() override;
  Status follow(const FeedAddress& feed, const std::string& gtid, std::string& report) override;
  Result<std::uint32_t> follows(std::uint16_t feed_port) override;

 private:
  Status connect();
  Status run(const std::string& sql, QueryResult& result);
  Result<Positions> without_own_writes(Positions found);
  Status check_standby_facts(std::vector<std::string>& warnings);
  Status check_kind();

  const Config& config_;
  ServerConnection& sql_;
  const FedArchive archive_;
  MysqlGtidSet fed_;  // as the archive last told; it only grows
  Position fed_end_;  // where the archive ended then
};

}  // namespace binlane
