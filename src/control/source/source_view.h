// SourceView: what the source's control thread shows of itself: a consistent copy, for status,
// metrics and the list of problems.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "control/config/config.h"
#include "control/exposure/ledger.h"
#include "control/failover/host_role.h"
#include "control/failover/promoter.h"
#include "control/failover/rejoiner.h"
#include "control/fallback/fallback.h"
#include "control/source/transition_log.h"
#include "control/stream/session_manager.h"
#include "dataplane/lane/queue_count.h"
#include "dataplane/lane/source_queues.h"
#include "shim/binlog/stream_counters.h"
#include "shim/server/dump_connection.h"
#include "shim/server/semi_sync_control.h"

namespace binlane {

// What a host does in its role, in the status's words. Derived from the role, never stored.
enum class SourcePhase : std::uint8_t {
  looking,  // a source that cannot reach its server (yet)
  refused,  // the server or its binlogs are not fit for a source; `problem` says why
  running,
  standby,    // another host is the source
  promoting,  // a standby whose promotion is in progress
  fenced,     // this host was the source; a later term has begun, or an operator fenced it
};

struct SourceView {
  SourcePhase phase = SourcePhase::looking;
  std::string problem;
  std::string write_problem;  // why the server is kept read-only; empty while it may take writes
  RoleState role;
  bool role_on_record = true;  // false: fenced, and the disk did not take the record
  PromotionView promotion;
  RejoinView rejoin;
  Uuid origin;
  Epoch epoch;
  std::string basename;
  std::string server_version;
  FallbackState state = FallbackState::starting;
  FallbackTransition last_transition;
  TransitionLog::List transitions;       // the newest ones
  std::shared_ptr<const Config> config;  // the one in force
  bool rule_open = false;                // a change of the quorum rule is in progress
  std::string rule_before;               // the rule on record
  bool held = false;                     // semi-sync is off because an operator wanted that
  bool read_only = false;                // Binlane has made the server read-only, and it says so
  std::uint64_t other_ackers = 0;        // semi-sync clients that are not ours
  std::uint32_t newest_binlog = 0;       // the number of the server's newest binlog
  bool numbers_near_end = false;         // the numbers end soon, and semi-sync with them, or have
  // The server's next binlog, if it has existed for long without its beginning, and for how long.
  std::string headless_binlog;
  std::uint64_t headless_ns = 0;
  ReplicaSet slow = 0;
  std::uint64_t slow_times = 0;
  std::uint64_t oldest_wait_ns = 0;
  std::uint64_t recover_hold_ns = 0;
  FallbackCounters counters;  // over all incarnations
  bool blocked = false;
  std::uint64_t state_since_ns = 0;
  SemiSyncStatus server;
  DrainStatus drain;
  SourceMarks marks;
  std::vector<SessionManager::ReplicaView> replicas;
  LedgerTotals ledger;
  std::vector<LedgerInterval> intervals;
  // Why a file cannot be written any more; empty while it can be.
  std::string ledger_failure;
  std::string state_failure;
  std::string role_failure;
  // What the last polls of the server have shown, each empty while all is well: why the server
  // cannot be asked; why our account cannot log in; which settings differ from what Binlane has
  // set; and that the server takes writes although mode `fail` has made it read-only.
  std::string poll_problem;
  bool server_down = false;  // no server answers; poll_problem has the error
  std::string login_problem;
  std::vector<std::string> server_differences;
  std::string read_only_problem;
  // For a standby: why its server does not replicate from the feed, or does not execute what it
  // gets.
  std::string replication_problem;
  // Why a promotion of this standby would be refused because of its server; empty if it would not.
  std::string unfit;
  std::uint64_t incarnations = 0;
  std::uint64_t polls = 0;
  std::uint64_t polls_failed = 0;
  std::uint64_t settings_mended = 0;  // times that Binlane set a changed setting back
  std::uint64_t lane_stands = 0;      // times that this thread had the lane quiesced
  BinlogCounters binlog;
  std::vector<QueueCount> queues;  // between this thread, its lane and the drain
};

}  // namespace binlane
