#include "control/log_server.h"

#include <fmt/format.h>

#include <utility>

#include "base/error.h"
#include "shim/stream_scan.h"

namespace binlane {

std::string LogServer::begin(const SealedFiles& files, const SourceHandshake::Identity& identity,
                             const QuorumRule& rule, std::vector<HandshakeDesk::Replica> peers,
                             bool& begun) {
  begun = false;
  binlogs_.emplace(files.directory, files.basename);
  StreamStart start;
  const ScanResult scan = scan_stream(*binlogs_, files.first, files.end.file, start);
  if (!scan.ok()) return fmt::format("{}: {}", files.basename, scan_text(scan));
  if (!lane_.stand_still()) return {};
  lane_.bind(files.directory, files.basename, drain_);
  if (const int error = lane_.begin_incarnation(start, identity.epoch, rule, monotonic_ns());
      error != 0)
    return fmt::format("the sealed stream cannot be opened: {}", errno_text(error));
  proof_ = std::make_unique<PosixStreamProof>(*binlogs_);
  proof_->refresh(lane_.stream().tailer().map(), files.end);
  lane_.go_on();
  desk_ = std::make_unique<HandshakeDesk>(std::move(peers), *proof_, lane_.queues());
  desk_->begin_incarnation(identity, {}, {});
  synced_told_ = false;
  begun = true;
  return {};
}

void LogServer::end() {
  if (desk_) desk_->close();
  desk_.reset();
  if (lane_.stand_still() && lane_.bound()) lane_.stream().stop();
}

void LogServer::tell_synced(const Position& synced) {
  if (synced_told_) return;
  SourceCommand command;
  command.kind = SourceCommand::Kind::set_synced;
  command.synced = synced;
  synced_told_ = lane_.queues().commands.try_push(command);
}

}  // namespace binlane
