// LookServer: sends looks to a host's peers, again and again. A look changes nothing at a peer: it
// gives no promise, and its session continues. A promotion begins with this, and a dry run does
// nothing else. Source's control thread of a standby.
#pragma once

#include <memory>
#include <vector>

#include "control/stream/lane_handle.h"
#include "control/stream/session_manager.h"
#include "dataplane/session/source_handshake.h"

namespace binlane {

class LookServer {
 public:
  // `lane` must outlive this object.
  explicit LookServer(LaneHandle& lane) : lane_(lane) {}

  // Begins to send looks with this identity. Returns false if the lane could not be quiesced yet;
  // call it again then.
  bool begin(SourceHandshake::Identity identity, std::vector<SessionManager::Replica> peers);
  void end();
  SessionManager& sessions() noexcept { return *sessions_; }

 private:
  LaneHandle& lane_;
  std::unique_ptr<SourceLogView> proof_;
  std::unique_ptr<SessionManager> sessions_;
};

}  // namespace binlane
