// OtherAckers: whether the server has a semi-sync client that is not ours. [S23]
//
// Any semi-sync client's ACK ends a wait, so one more client than our own means that commits are
// released without a quorum. The server shows the number only (Rpl_semi_sync_master_clients). Our
// own connection is one of them while it is registered. When it has just reconnected, the server
// may count its predecessor as well until that one's thread has ended. Then the surplus is
// `unclear`, for a bounded time. No I/O, no clock. The source's control thread owns it.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace binlane {

enum class OtherAckers : std::uint8_t { none, unclear, present };

// Our own connection for ACKs.
struct OwnAcker {
  bool registered = false;
  std::uint64_t connection = 0;  // grows with each new one

  bool operator==(const OwnAcker&) const = default;
};

class AckerWatch {
 public:
  // A predecessor's thread has ended this long after its successor has registered.
  static constexpr std::uint64_t kSettleNs = 1 * kNanosPerSecond;
  // A connection of ours that comes and goes does not keep it unclear for longer than this.
  static constexpr std::uint64_t kUnclearMostNs = 3 * kNanosPerSecond;

  // One look at the server: it had this many semi-sync clients; `before` and `after` are our own
  // connection before the question and after the answer.
  OtherAckers observe(std::uint64_t now_ns, std::uint64_t clients, const OwnAcker& before,
                      const OwnAcker& after) noexcept;

  // Clients that are not ours, as of the last look; 0 unless they are certain.
  std::uint64_t count() const noexcept { return count_; }

 private:
  std::uint64_t registered_connection_ = 0;
  std::uint64_t registered_since_ns_ = 0;
  bool registered_ = false;
  std::optional<std::uint64_t> unclear_since_ns_;
  std::uint64_t count_ = 0;
};

}  // namespace binlane
