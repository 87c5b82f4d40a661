#include "log_server.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "shim/stream_scan.h"

namespace binlane::sim {

std::string LogServer::begin(const SourceHandshake::Identity& identity, const QuorumRule& rule,
                             const std::vector<HandshakeDesk::Replica>& peers,
                             std::uint64_t now_ns) {
  StreamStart start;
  const BinlogStore& files = view_.store();
  const ScanResult scan = scan_stream(view_, files.first(), files.last(), start);
  if (!scan.ok()) return fmt::format("file {} cannot be read", scan.file);
  port_ = std::make_unique<test::FakePort>(network_, local_);
  ports_[0] = port_.get();
  queues_ = std::make_unique<SourceLaneQueues>();
  stream_ = std::make_unique<Stream>(view_);
  link_ = std::make_unique<Link>(drain_, clock_);
  cycle_ = std::make_unique<Cycle>(ports_, *stream_, *link_, clock_, *queues_,
                                   HandshakeDesk::addresses_of(peers));
  queues_->pause.request();
  cycle_->do_work();
  BL_ASSERT(queues_->pause.standing());
  if (stream_->start(start, now_ns) != 0) return "the sealed stream cannot be opened";
  cycle_->rebuild(identity.epoch, rule);
  proof_ = std::make_unique<FileStreamProof<BinlogView>>(view_);
  proof_->refresh(stream_->tailer().map(), {files.last(), files.file(files.last()).data.size()});
  queues_->pause.resume();
  desk_ = std::make_unique<HandshakeDesk>(peers, *proof_, *queues_);
  desk_->begin_incarnation(identity, {}, {});
  synced_told_ = false;
  return {};
}

void LogServer::end() {
  if (desk_) desk_->close();
  desk_.reset();
  cycle_.reset();
  link_.reset();
  stream_.reset();
  queues_.reset();
  if (port_) port_->discard();
  port_.reset();
}

void LogServer::tell_synced(const Position& synced) {
  if (synced_told_) return;
  SourceCommand command;
  command.kind = SourceCommand::Kind::set_synced;
  command.synced = synced;
  synced_told_ = queues_->commands.try_push(command);
}

}  // namespace binlane::sim
