#include "control/exposure/exposure_desk.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace binlane {

std::uint64_t ExposureDesk::update(std::vector<Exposure> exposures, std::uint64_t total) {
  if (exposures == list_.exposures) return list_.number;
  list_.exposures = std::move(exposures);
  list_.total = total;
  return ++list_.number;
}

void ExposureDesk::on_session(std::uint32_t replica, std::uint64_t session_id, std::uint32_t port,
                              const Endpoint& peer) {
  BL_ASSERT(replica < peers_.size());
  if (peers_[replica].session_id == session_id) return;
  BL_ASSERT(session_id == 0 || !list_.origin.is_null());
  peers_[replica] = {};
  peers_[replica].session_id = session_id;
  peers_[replica].port = port;
  peers_[replica].endpoint = peer;
}

bool ExposureDesk::poll(std::uint64_t now_ns, HelloMessage& message) {
  for (Peer& peer : peers_) {
    if (peer.session_id == 0 || peer.known >= list_.number) continue;
    if (peer.told == list_.number && now_ns < peer.next_ns) continue;
    peer.told = list_.number;
    peer.next_ns = now_ns + kExposedRepeatNs;
    message.port = peer.port;
    message.peer = peer.endpoint;
    FrameTags tags;
    tags.type = wire::Type::exposed;
    tags.session_id = peer.session_id;
    tags.epoch = epoch_;
    tags.packet_number = ++peer.packets;
    build_hello(message, tags, encode_exposures(list_));
    return true;
  }
  return false;
}

bool ExposureDesk::comes_from_its_peer(std::uint64_t session_id, std::uint32_t port,
                                       const Endpoint& from) const noexcept {
  return std::any_of(peers_.begin(), peers_.end(), [&](const Peer& peer) {
    return session_id != 0 && peer.session_id == session_id && peer.port == port &&
           peer.endpoint == from;
  });
}

bool ExposureDesk::on_reply(const FrameView& frame, std::uint32_t& replica, std::uint64_t& number) {
  if (frame.type() != wire::Type::exposed_ack || frame.epoch() != epoch_) return false;
  const auto body = body_as<wire::ExposedAckBody>(frame);
  for (std::uint32_t i = 0; i < peers_.size(); ++i) {
    Peer& peer = peers_[i];
    if (peer.session_id == 0 || peer.session_id != frame.header.session_id) continue;
    if (body.number > list_.number || body.number <= peer.known) return false;
    BL_ASSERT(peer.told <= list_.number);
    peer.known = body.number;
    replica = i;
    number = body.number;
    return true;
  }
  return false;
}

}  // namespace binlane
