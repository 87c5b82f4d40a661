// ExposureBroadcaster: keeps the replicas informed of what the ledger says. [S8, S10]
//
// The order matters: first the ledger has an interval, then every replica that may be told of what
// was released in it has recorded it, and only then the lane tells that replica. A replica that
// does not answer withholds from its server what no quorum has; the source never waits for it.
//
// No I/O, no clock: it reads the ledger's copy in memory and uses the lane's queues. Control thread
// of the source; one per incarnation.
#pragma once

#include <cstdint>

#include "control/exposure/exposure_desk.h"
#include "control/exposure/ledger.h"
#include "control/stream/session_manager.h"

namespace binlane {

class ExposureBroadcaster {
 public:
  // Both must outlive it.
  ExposureBroadcaster(const Ledger& ledger, SourceLaneQueues& queues, const Uuid& origin,
                      Epoch epoch)
      : ledger_(ledger), queues_(queues), origin_(origin), desk_(origin, epoch) {}

  // The number of the list that says what the ledger says at this moment.
  std::uint64_t refresh();
  // Ignores anything that is no EXPOSED_ACK.
  void on_reply(const HelloMessage& message);
  // Sends what is due to the replicas in session.
  void poll(const SessionManager& handshakes, std::uint64_t now_ns);

 private:
  const Ledger& ledger_;
  SourceLaneQueues& queues_;
  Uuid origin_;
  ExposureDesk desk_;
  std::uint64_t bytes_seen_ = 0;  // of the ledger when it was last read
};

}  // namespace binlane
