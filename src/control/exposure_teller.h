// ExposureTeller: keeps the replicas told of what the ledger says (safety rules S8, S10).
//
// The order that matters: the ledger has an interval, every replica that is to be told of what was
// released in it has put it on record, and only then the lane tells it. A replica that does not
// answer keeps from its server what no quorum has; it is never waited for.
//
// No I/O, no clock: it reads the ledger as it stands in memory and speaks through the lane's
// queues. Control thread of the source; one per incarnation.
#pragma once

#include <cstdint>

#include "control/exposure_desk.h"
#include "control/handshake_desk.h"
#include "control/ledger.h"

namespace binlane {

class ExposureTeller {
 public:
  // Both outlive it.
  ExposureTeller(const Ledger& ledger, SourceLaneQueues& queues, const Uuid& origin, Epoch epoch)
      : ledger_(ledger), queues_(queues), origin_(origin), desk_(origin, epoch) {}

  // The number of the list that says what the ledger says at this moment.
  std::uint64_t look();
  // Anything that is no EXPOSED_ACK is passed over.
  void on_reply(const HelloMessage& message);
  // Sends what is due to those who are in session.
  void poll(const HandshakeDesk& handshakes, std::uint64_t now_ns);

 private:
  const Ledger& ledger_;
  SourceLaneQueues& queues_;
  Uuid origin_;
  ExposureDesk desk_;
  std::uint64_t bytes_seen_ = 0;  // of the ledger when it was looked at
};

}  // namespace binlane
