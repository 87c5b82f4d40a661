// find_problems(): what is amiss on this host (problems.h), from copies of what its threads show.
//
// Pure: no clock, no I/O, no lock. Only what was observed is said here, never what was intended: a
// value that Binlane has set at the server is taken from the last look at the server (S22). Of a
// host with both sections the side that is not at work is asked for its files only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/archive_pruner.h"
#include "control/config.h"
#include "control/peer_config.h"
#include "control/problems.h"
#include "control/replica_control.h"
#include "control/source_control.h"
#include "shim/binlog_server.h"
#include "storage/archive.h"

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
  const SourceControl::View* source = nullptr;
  const ReplicaSight* replica = nullptr;
  std::vector<PortSight> ports;
  std::vector<StuckThread> stuck;
  std::string audit_failure;
};

// Whether the [replica] section is at work.
bool replica_at_work(const HostSight& sight) noexcept;

std::vector<Problem> find_problems(const HostSight& sight);

}  // namespace binlane
