// find_problems(): what is wrong on this host (problems.h), from copies of what its threads show.
//
// Pure: no clock, no I/O, no lock. It reports only what was observed, never what was intended: a
// value that Binlane has set at the server is taken from the last look at the server. [S22] Of a
// host with both sections the inactive side contributes only its files.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/config/config.h"
#include "control/config/peer_config.h"
#include "control/replica/archive_pruner.h"
#include "control/replica/replica_control.h"
#include "control/source/source_view.h"
#include "control/status/problems.h"
#include "shim/feed/binlog_server.h"
#include "storage/archive/archive.h"

namespace binlane {

// What the replica's side shows.
struct ReplicaSight {
  ReplicaControl::View control;
  ArchiverStatus archive;
  FeedStatus feed;
  ArchivePruner::View retention;
  ReplicaSources sources;
};

struct PortSight {
  std::string name;
  bool attached = false;
  std::string problem;
};

// A thread that has not turned for longer than it may.
struct StuckThread {
  std::string name;
  std::uint64_t for_ms = 0;
};

struct HostSight {
  // Null: this host has no such section.
  const SourceConfig* source_config = nullptr;
  const SourceView* source = nullptr;
  const ReplicaSight* replica = nullptr;
  std::vector<PortSight> ports;
  std::vector<StuckThread> stuck;
  std::string audit_failure;
};

// Whether the [replica] section is active.
bool replica_at_work(const HostSight& sight) noexcept;

std::vector<Problem> find_problems(const HostSight& sight);

}  // namespace binlane
