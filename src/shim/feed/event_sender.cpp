#include "shim/feed/event_sender.h"

#include <algorithm>
#include <array>

#include "base/clock.h"
#include "base/log.h"

namespace binlane {
namespace {

constexpr std::size_t kPieceSize = 64 << 10;
// Sent before every event: "no error".
constexpr std::array<std::byte, 1> kEventPrefix{std::byte{0}};

}  // namespace

EventSender::EventSender(FeedClient& client, FeedCounters& counters, std::uint64_t now_ns)
    : client_(client), counters_(counters), last_send_ns_(now_ns), piece_(kPieceSize) {}

PacketSocket::Status EventSender::send_archived(ArchiveReader& reader, const ArchivedEvent& event,
                                                Position end) {
  client_.socket.begin_packet(kEventPrefix.size() + event.header.length);
  client_.socket.append(kEventPrefix);
  PacketSocket::Status status = client_.socket.append(event.front);
  std::uint64_t at = event.offset + event.front.size();
  while (status == PacketSocket::Status::ok && at < event.end()) {
    const MutableBytes piece =
        MutableBytes(piece_).first(std::min<std::uint64_t>(piece_.size(), event.end() - at));
    if (!reader.read(at, piece)) {
      log::error("feed_archive", "{} at {}: {}", reader.file_name(), at, reader.error());
      counters_.set_last_error(reader.error());
      return PacketSocket::Status::broken;
    }
    status = client_.socket.append(piece);
    at += piece.size();
  }
  if (status != PacketSocket::Status::ok) return status;
  last_send_ns_ = monotonic_ns();
  ++client_.events;
  ++counters_.events;
  client_.bytes += event.header.length;
  counters_.bytes += event.header.length;
  client_.set_position(end);
  return status;
}

PacketSocket::Status EventSender::send_made(const Event& event) {
  client_.socket.begin_packet(kEventPrefix.size() + event.size());
  client_.socket.append(kEventPrefix);
  last_send_ns_ = monotonic_ns();
  return client_.socket.append(event);
}

}  // namespace binlane
