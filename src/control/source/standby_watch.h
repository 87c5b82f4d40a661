// StandbyWatch: what a standby's control does at its server while no promotion is in progress. It
// keeps semi-sync off, because the applier's commits must wait for nobody, and checks whether the
// server replicates from this host's feed. Source's control thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "control/source/source_server.h"

namespace binlane {

class StandbyWatch {
 public:
  explicit StandbyWatch(SourceServer& server) : server_(server) {}

  // The server is connected. Failed: why semi-sync is not known to be off.
  Status keep_semi_sync_off();
  // Looks every 2 s. `feed_port` 0: there is no feed to replicate from (yet).
  void look_at_replication(std::uint64_t now_ns, std::uint16_t feed_port);
  // Why the server does not replicate from the feed, or does not execute what it gets. Only a
  // problem that two looks in a row have shown counts, because a server that reconnects has one for
  // a moment.
  const std::string& replication_problem() const noexcept { return shown_; }

 private:
  SourceServer& server_;
  std::string seen_;
  std::string shown_;
  std::uint64_t next_ns_ = 0;
};

}  // namespace binlane
