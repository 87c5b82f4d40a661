// LogServer: a source's own parts (lane, tailer, handshakes) over a folder of files that are a
// complete copy of somebody else's stream, in place of a server's binlogs. What a promotion serves
// its peers with, and what a host lends its log by. Source's control thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/handshake_desk.h"
#include "control/own_log.h"
#include "control/source_lane.h"
#include "control/stream_proof.h"
#include "shim/dump_drain.h"

namespace binlane {

class LogServer {
 public:
  // Both outlive this. Nobody is told of anything: no server waits for this stream.
  LogServer(SourceLane& lane, DumpDrain& drain) : lane_(lane), drain_(drain) {}

  // Begins to serve `files` to `peers` as `identity` says, under `rule` over them. Empty and true:
  // it does; empty and false: the lane does not stand still yet, call it again; or what went wrong.
  std::string begin(const SealedFiles& files, const SourceHandshake::Identity& identity,
                    const QuorumRule& rule, std::vector<HandshakeDesk::Replica> peers, bool& begun);
  void end();
  bool serving() const noexcept { return desk_ != nullptr; }

  HandshakeDesk& desk() noexcept { return *desk_; }
  const HandshakeDesk& desk() const noexcept { return *desk_; }
  SourceMarks marks() { return lane_.queues().marks.load(); }
  // How far the files are known to be safe; heard once the lane takes it.
  void tell_synced(const Position& synced);

 private:
  SourceLane& lane_;
  DumpDrain& drain_;
  std::optional<PosixBinlogFiles> binlogs_;
  std::unique_ptr<PosixStreamProof> proof_;
  std::unique_ptr<HandshakeDesk> desk_;
  bool synced_told_ = false;
};

}  // namespace binlane
