// SealedStreamServer: serves a complete copy of a stream, in a folder of files in place of a
// server's binlogs, with a source's own parts (lane, tailer, handshakes). A promotion serves its
// peers with it, and a donor its joiner. Source's control thread.
#pragma once

#include <memory>
#include <vector>

#include "base/status.h"
#include "base/time_source.h"
#include "control/failover/sealed_files.h"
#include "control/stream/binlog_folders.h"
#include "control/stream/lane_handle.h"
#include "control/stream/session_manager.h"
#include "control/stream/source_log_view.h"

namespace binlane {

class SealedStreamServer {
 public:
  // All must outlive this object. No server waits for this stream, so nothing is acknowledged to
  // one.
  SealedStreamServer(LaneHandle& lane, BinlogFolders& folders, const TimeSource& time)
      : lane_(lane), folders_(folders), time_(time) {}

  // Begins to serve `files` to `peers`, with this identity, and `rule` over the peers. Pending: the
  // lane could not be quiesced yet; call it again.
  Status begin(const SealedFiles& files, const SourceHandshake::Identity& identity,
               const QuorumRule& rule, std::vector<SessionManager::Replica> peers);
  void end();
  bool serving() const noexcept { return sessions_ != nullptr; }

  SessionManager& sessions() noexcept { return *sessions_; }
  const SessionManager& sessions() const noexcept { return *sessions_; }
  SourceMarks marks() { return lane_.queues().marks.load(); }
  // Up to where the files are known to be synced. Call it every turn: it is repeated until the
  // lane's queue takes it.
  void tell_synced(const Position& synced);

 private:
  LaneHandle& lane_;
  BinlogFolders& folders_;
  const TimeSource& time_;
  std::unique_ptr<BinlogFolder> binlogs_;
  std::unique_ptr<FileSourceLogView> log_view_;
  std::unique_ptr<SessionManager> sessions_;
  bool synced_told_ = false;
};

}  // namespace binlane
