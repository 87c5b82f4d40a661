// EventSender: puts a dump's events into packets, as a source sends them. The connection's thread
// runs it.
#pragma once

#include <cstdint>
#include <vector>

#include "base/position.h"
#include "shim/feed/archive_reader.h"
#include "shim/feed/feed_client.h"
#include "shim/feed/feed_event.h"

namespace binlane {

class EventSender {
 public:
  // `now_ns` counts as the time of the last event, from which heartbeats are timed.
  EventSender(FeedClient& client, FeedCounters& counters, std::uint64_t now_ns);

  // An event of the file that `reader` has open; `end` is shown as where the client is. `broken`
  // also if the archive cannot be read: then half a packet was sent, and only closing tells the
  // client that the rest does not come.
  PacketSocket::Status send_archived(ArchiveReader& reader, const ArchivedEvent& event,
                                     Position end);
  // An event that no file holds.
  PacketSocket::Status send_made(const Event& event);

  std::uint64_t last_send_ns() const noexcept { return last_send_ns_; }

 private:
  FeedClient& client_;
  FeedCounters& counters_;
  std::uint64_t last_send_ns_;
  std::vector<std::byte> piece_;
};

}  // namespace binlane
