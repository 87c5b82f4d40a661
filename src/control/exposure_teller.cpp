#include "control/exposure_teller.h"

#include "base/log.h"

namespace binlane {

std::uint64_t ExposureTeller::look() {
  bytes_seen_ = ledger_.totals().bytes;
  return desk_.update(exposures_of(ledger_, origin_), ledger_.totals().entries);
}

void ExposureTeller::on_reply(const HelloMessage& message) {
  FrameView frame;
  SourceCommand command;
  command.kind = SourceCommand::Kind::set_exposure_known;
  if (decode(message.frame(), frame) != FrameFault::none ||
      !desk_.comes_from_its_peer(frame.header.session_id, message.port, message.peer) ||
      !desk_.on_reply(frame, command.replica, command.exposure))
    return;
  command.session_id = frame.header.session_id;
  if (!queues_.commands.try_push(command)) desk_.forget(command.replica);
}

void ExposureTeller::poll(const HandshakeDesk& handshakes, std::uint64_t now_ns) {
  if (ledger_.totals().bytes != bytes_seen_) look();
  for (std::uint32_t i = 0; i < handshakes.size(); ++i) {
    const HandshakeDesk::Replica& replica = handshakes.replica(i);
    desk_.on_session(i, handshakes.session_of(i), replica.port, replica.address);
  }
  HelloMessage message;
  for (std::size_t i = 0; i < kMaxReplicas && desk_.poll(now_ns, message); ++i) {
    // A full queue loses it as the network might; it is repeated.
    if (!queues_.hello_out.try_push(message))
      log::debug("hello_queue_full", "exposures not sent: the lane is busy");
  }
}

}  // namespace binlane
