// OwnWrites: whether a standby's server has written transactions by itself. The new stream would
// begin after those, so no replica could ever get them.
//
// A transaction of the old source that the server is executing looks the same for a moment, so this
// class looks again and again for a second. Source's control thread.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/status.h"
#include "control/failover/standby_server.h"

namespace binlane {

class OwnWrites {
 public:
  static constexpr std::uint64_t kPatienceNs = kNanosPerSecond;

  // `server` must outlive this object.
  explicit OwnWrites(StandbyServer& server) : server_(server) {}

  // Ok: it has written none. Pending: call it again. Failed: it has written some, or does not
  // answer.
  Status look(std::uint64_t now_ns);
  // The last look that ended has found some.
  bool found_some() const noexcept { return found_some_; }
  // Forgets the looks so far: the next one begins a new second.
  void reset() noexcept { begun_ns_.reset(); }

 private:
  StandbyServer& server_;
  std::optional<std::uint64_t> begun_ns_;
  bool found_some_ = false;
};

}  // namespace binlane
