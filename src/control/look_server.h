// LookServer: looks at a host's peers, again and again, without changing anything there: no promise
// is given, and the sessions that run go on. What a promotion is preceded by, and all that its dry
// run does. Source's control thread of a standby.
#pragma once

#include <memory>
#include <vector>

#include "control/handshake_desk.h"
#include "control/source_lane.h"
#include "dataplane/source_handshake.h"

namespace binlane {

class LookServer {
 public:
  // Outlives this.
  explicit LookServer(SourceLane& lane) : lane_(lane) {}

  // Begins to look as `identity` says. False: the lane does not stand still yet, call it again.
  bool begin(SourceHandshake::Identity identity, std::vector<HandshakeDesk::Replica> peers);
  void end();
  HandshakeDesk& desk() noexcept { return *desk_; }

 private:
  SourceLane& lane_;
  std::unique_ptr<StreamProof> proof_;
  std::unique_ptr<HandshakeDesk> desk_;
};

}  // namespace binlane
