// ControlThread: the ordinary thread that controls a source's lane. Other threads hand requests to
// its mailbox and read a view; RoleController does the work. The lane never waits for this thread.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/heartbeat.h"
#include "base/time_source.h"
#include "control/config/config.h"
#include "control/failover/sql_standby.h"
#include "control/failover/stopped_server.h"
#include "control/source/control_mailbox.h"
#include "control/source/pause_watch.h"
#include "control/source/read_only_keeper.h"
#include "control/source/role_controller.h"
#include "control/source/source_parts.h"
#include "control/source/source_records.h"
#include "control/source/source_view.h"
#include "control/source/sql_source_server.h"
#include "control/stream/binlog_folders.h"
#include "control/stream/source_lane.h"
#include "storage/durable_mark.h"

namespace binlane {

class ReplicaSide;

// The files in data_dir that hold what a source must not forget.
std::string state_file_path(const Config& config);
std::string ledger_path(const Config& config);
std::string role_file_path(const Config& config);

class ControlThread {
 public:
  // Opens state and ledger; throws StartupError if one of them is damaged. `lane`, `role` and
  // `replica` must outlive this object. `replica` is the replica's side of this daemon, or null.
  ControlThread(const Config& config, SourceLane& lane,
                std::vector<SessionManager::Replica> replicas, RoleFile& role,
                ReplicaSide* replica);
  ~ControlThread();
  ControlThread(const ControlThread&) = delete;
  ControlThread& operator=(const ControlThread&) = delete;

  // Call it before start(); see RoleController.
  void on_ended(RoleController::Ended ended) { controller_.on_ended(std::move(ended)); }
  void start();
  // Ends the thread, and leaves the lane quiesced. The server's semi-sync remains as it is: until a
  // binlaned runs again, the server's own timeout ends the waits.
  void stop();

  // --- any thread
  SourceView view() const;
  const Heartbeat& heartbeat() const noexcept { return heart_; }
  // Applies those settings of `next` that may change while the daemon runs.
  Status request_change(const Config& next);
  // Begins to release commits without a quorum, ledger first; ends that.
  Status request_degrade();
  Status request_resume();
  // Makes this host the source. Ok: the promotion has begun; the view shows its progress.
  Status request_promotion(bool dry_run, bool from_live_source);
  // Makes a host that was the source a replica again, in the same way.
  Status request_rejoin(const RejoinOptions& options);
  struct Fenced {
    std::vector<std::string> report;
    bool on_record = true;  // false: binlaned would forget the fence if it were restarted
  };
  // See RoleController::fence().
  Result<Fenced> request_fence(const std::string& reason, bool kill_server);
  Status request_unfence();
  // The ledger's intervals, and an operator's acknowledgement of one.
  std::vector<LedgerInterval> ledger_intervals();
  Status acknowledge_interval(std::uint64_t id, const std::string& by);

 private:
  void run();
  void publish();

  ControlMailbox mailbox_;
  const MonotonicTime time_;
  PosixBinlogFolders folders_;
  RoleFile& role_;
  SqlSourceServer server_;
  SourceLane& lane_;
  SourceRecords records_;
  FileMark read_only_mark_;
  FileMark degrade_mark_;
  ReadOnlyKeeper read_only_;
  SqlStandby standby_;
  SystemStoppedServer stopped_;
  RegistrationGate<ServerRun> registration_;
  SourceParts parts_;
  RoleController controller_;
  PauseWatch pause_watch_;
  mutable std::mutex view_mutex_;
  SourceView view_;  // guarded by view_mutex_
  Heartbeat heart_;
  std::thread thread_;
};

}  // namespace binlane
