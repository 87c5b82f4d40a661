#include "control/failover/sealed_stream_server.h"

#include <fmt/format.h>

#include <utility>

#include "base/assert.h"
#include "base/error.h"
#include "shim/binlog/stream_scan.h"

namespace binlane {

Status SealedStreamServer::begin(const SealedFiles& files,
                                 const SourceHandshake::Identity& identity, const QuorumRule& rule,
                                 std::vector<SessionManager::Replica> peers) {
  BL_ASSERT(!serving() && files.first > 0 && files.first <= files.end.file);
  binlogs_ = folders_.open(files.directory, files.basename);
  StreamStart start;
  const ScanResult scan = scan_stream(*binlogs_, files.first, files.end.file, start);
  if (!scan.ok()) return Status::failed(fmt::format("{}: {}", files.basename, scan_text(scan)));
  if (!lane_.quiesce()) return Status::pending();
  lane_.bind(files.directory, files.basename);
  if (const int error = lane_.begin_incarnation(start, identity.epoch, rule, time_.now_ns());
      error != 0)
    return Status::failed(fmt::format("cannot open the sealed stream: {}", errno_text(error)));
  log_view_ = std::make_unique<FileSourceLogView>(*binlogs_);
  log_view_->refresh(lane_.tail().map, files.end);
  lane_.resume();
  sessions_ = std::make_unique<SessionManager>(std::move(peers), *log_view_, lane_.queues());
  sessions_->begin_incarnation(identity, {}, {});
  synced_told_ = false;
  return Status::ok();
}

void SealedStreamServer::end() {
  if (sessions_) sessions_->close();
  sessions_.reset();
  if (lane_.quiesce() && lane_.bound()) lane_.stop_stream();
}

void SealedStreamServer::tell_synced(const Position& synced) {
  BL_ASSERT(serving());
  if (!synced_told_) synced_told_ = lane_.proxy().set_synced(synced);
}

}  // namespace binlane
