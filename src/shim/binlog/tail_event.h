// TailEvent: what the tailer found in one poll, and what control is shown of a tailer whose lane
// stands still.
#pragma once

#include <cstdint>

#include "shim/binlog/group_tracker.h"
#include "shim/binlog/stream_map.h"

namespace binlane {

// What a poll found. From server_restarted on, the tailer has stopped.
enum class TailEvent : std::uint8_t {
  none,
  grew,              // written() moved
  file_ended,        // the file's last event was read; written() is after its end
  server_restarted,  // the next file was written by another run of the server
  shrunk,            // the file is shorter than what was read of it
  reset,             // the file was removed or replaced: the server's numbering began anew
  gap,      // the next file does not continue the previous one, which is gone: another stream
  damaged,  // the next file does not continue the previous one, which still exists
  error,    // error() or fault() says which
};
constexpr bool stops_tailer(TailEvent event) noexcept {
  return event >= TailEvent::server_restarted;
}

// What the tailer knows. Valid while its lane stands still.
struct TailView {
  const StreamMap& map;
  const GroupTracker& tracker;
  std::uint64_t written = 0;            // the stream's end, linear
  TailEvent stopped = TailEvent::none;  // why it stopped; none: it did not
  int error = 0;                        // of TailEvent::error: an errno
};

}  // namespace binlane
