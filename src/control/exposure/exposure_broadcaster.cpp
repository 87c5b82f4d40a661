#include "control/exposure/exposure_broadcaster.h"

#include "dataplane/lane/source_lane_proxy.h"

namespace binlane {

std::uint64_t ExposureBroadcaster::refresh() {
  bytes_seen_ = ledger_.totals().bytes;
  return desk_.update(exposures_of(ledger_, origin_), ledger_.totals().entries);
}

void ExposureBroadcaster::on_reply(const HelloMessage& message) {
  FrameView frame;
  std::uint32_t replica = 0;
  std::uint64_t number = 0;
  if (decode(message.frame(), frame) != FrameFault::none ||
      !desk_.comes_from_its_peer(frame.header.session_id, message.port, message.peer) ||
      !desk_.on_reply(frame, replica, number))
    return;
  if (!SourceLaneProxy(queues_).set_exposure_known(replica, frame.header.session_id, number))
    desk_.forget(replica);
}

void ExposureBroadcaster::poll(const SessionManager& handshakes, std::uint64_t now_ns) {
  if (ledger_.totals().bytes != bytes_seen_) refresh();
  for (std::uint32_t i = 0; i < handshakes.size(); ++i) {
    const SessionManager::Replica& replica = handshakes.replica(i);
    desk_.on_session(i, handshakes.session_of(i), replica.port, replica.address);
  }
  HelloMessage message;
  for (std::size_t i = 0; i < kMaxReplicas && desk_.poll(now_ns, message); ++i)
    SourceLaneProxy(queues_).send_hello(message);
}

}  // namespace binlane
