// Why a source's fallback changed its state, or let commits go.
#pragma once

#include <cstdint>

namespace binlane {

enum class FallbackReason : std::uint8_t {
  started,
  off_at_start,
  timeout,
  link_lost,       // the dump connection was away for as long as the timeout
  server_stopped,  // the server's own timeout, or a rule of its own
  operator_off,    // enabled = OFF by somebody else
  asked_off,       // binlane degrade
  server_restarted,
  server_released,  // commits completed without us while its status remained ON
  quorum_ready,
  quorum_lost,
  caught_up,
  server_on,  // it was already ON, or somebody switched it on
  turn_on_failed,
  unrecorded,      // what it released could not be recorded at that time
  stream_new,      // the stream is new, and the server already waits
  other_acker,     // another client than Binlane acknowledges commits
  other_gone,      // no other client than Binlane does any more
  numbering_over,  // the server compares the names of its next binlogs wrongly
};
// A sentence for logs, ledger and status.
const char* to_string(FallbackReason reason) noexcept;

}  // namespace binlane
