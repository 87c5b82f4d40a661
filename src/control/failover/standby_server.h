// StandbyServer: the database server beside a standby, as promotion and rejoin need it.
//
// All SQL of these is in the implementations: SqlStandby for a real server, and the simulator's
// own. GTID states are texts in the server's own form. No call waits for the server's applier; what
// is not known yet is pending. A failed status of the calls that a promotion repeats completes
// "waits for …". Source's control thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "shim/server/server_words.h"

namespace binlane {

class StandbyServer {
 public:
  // What the server has executed as a replica, and what its own binlog holds; empty: nothing.
  // `written` is read first. If it exceeds `executed`, the server is executing a transaction at
  // this moment, or has written one by itself.
  struct Positions {
    std::string executed;
    std::string written;
    std::string own = {};  // for people: what it has written by itself, if that can be told apart
  };
  // The first file of a new stream.
  struct NewStream {
    std::string basename;
    std::uint32_t file = 0;
  };

  StandbyServer() = default;
  StandbyServer(const StandbyServer&) = delete;
  StandbyServer& operator=(const StandbyServer&) = delete;
  virtual ~StandbyServer() = default;

  // Asks the server for something small; connects if necessary. Failed: it does not answer.
  virtual Status answers() = 0;

  // Of the server that answered last; before the first answer, MariaDB's.
  virtual const ServerWords& words() const noexcept = 0;

  // --- for a promotion
  // Whether it could be a source's server, and could take over. `warnings` gets what would delay
  // the promotion.
  virtual Status check_fit(std::vector<std::string>& warnings) = 0;
  virtual Result<Positions> positions() = 0;
  // Whether a server in GTID state `state` has executed everything in `wanted`.
  virtual bool covers(const std::string& state, const std::string& wanted) const = 0;
  // Makes the server follow no source any more, not even after a restart.
  virtual Status stop_following() = 0;
  // Begins another binlog file.
  virtual Result<NewStream> begin_stream() = 0;

  // --- for a rejoin
  // Ok: the server takes no writes any more. It waits for commits that wait for a quorum, and gives
  // up after a second.
  virtual Status stop_writes() = 0;
  // Makes the server follow the feed from `gtid` on; empty: from its present position. `report`
  // gets the statement without the password.
  virtual Status follow(const FeedAddress& feed, const std::string& gtid, std::string& report) = 0;
  // The server is connected to the feed at this port: the server_id under which the feed knows it.
  // Failed: what it does instead.
  virtual Result<std::uint32_t> follows(std::uint16_t feed_port) = 0;
};

}  // namespace binlane
