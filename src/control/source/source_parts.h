// SourceParts: what a source's control works with. Everything in it exists outside the control and
// outlives it: the daemon puts real parts together, and the simulator its own.
#pragma once

#include <vector>

#include "base/time_source.h"
#include "control/failover/host_role.h"
#include "control/fallback/fallback.h"
#include "control/source/read_only_keeper.h"
#include "control/source/source_records.h"
#include "control/source/source_server.h"
#include "control/stream/binlog_folders.h"
#include "control/stream/lane_handle.h"
#include "control/stream/registration_gate.h"
#include "control/stream/session_manager.h"
#include "storage/durable_mark.h"

namespace binlane {

struct SourceParts {
  SourceServer& server;
  LaneHandle& lane;
  BinlogFolders& folders;
  const TimeSource& time;
  RoleFile& role;
  SourceRecords& records;
  ReadOnlyKeeper& read_only;
  // Set while an operator's `binlane degrade` is in force. The mark is durable, so that the degrade
  // outlasts restarts of binlaned and of the server, until `binlane resume`.
  DurableMark& degrade_mark;
  RegistrationGate<ServerRun>& registration;
  std::vector<SessionManager::Replica> replicas;
};

// What the last poll of the server has shown, in any role, and how many polls there were.
struct ServerSight {
  ServerRun run;  // the last known one
  std::string version;
  SemiSyncStatus status;
  std::string poll_problem;  // why the last poll failed; empty: it succeeded
  bool server_down = false;  // it failed because no server answers
  std::uint64_t polls = 0;
  std::uint64_t polls_failed = 0;

  // Logs the error if it is another one than last time; status and metrics show it while it lasts.
  void note_failed_poll(const Status& status, bool no_server);
};

// Totals of all incarnations of this process.
struct SourceTotals {
  std::uint64_t incarnations = 0;
  std::uint64_t slow_times = 0;
  std::uint64_t settings_mended = 0;
  FallbackCounters fallback;
};

}  // namespace binlane
