// PortAttacher: creates the device of one DpdkPort, in a thread of its own.
//
// Plugging in a vhost-user server blocks inside EAL until its peer connects, perhaps for ever.
// Meanwhile the daemon serves its admin socket, its server and its other ports. A failure is tried
// again with a growing pause, at most kMaxPlugAttempts times.
//
// EAL offers no way to end a blocked plug-in. So destroying the PortAttacher abandons the thread,
// which then never touches the DpdkPort again, and the process must end by _exit() (eal.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "dataplane/port/dpdk_port.h"

namespace binlane {

inline constexpr std::uint32_t kMaxPlugAttempts = 60;
inline constexpr std::uint64_t kFirstPlugPauseNs = 100 * kNanosPerMilli;
inline constexpr std::uint64_t kMaxPlugPauseNs = 5 * kNanosPerSecond;

class PortAttacher {
 public:
  enum class State : std::uint8_t {
    plugging,  // trying, or waiting for the peer
    attached,  // the port is ready
    failed,    // gave up after kMaxPlugAttempts
  };
  struct Status {
    State state = State::plugging;
    std::uint32_t attempts = 0;
    std::uint32_t failures = 0;
    std::string last_error;
  };

  // EAL must be started (eal.h), and `port` of kind vhost or dpdk. Starts at once.
  explicit PortAttacher(DpdkPort& port);
  // Returns without waiting for the peer. Destroy it before its DpdkPort.
  ~PortAttacher();
  PortAttacher(const PortAttacher&) = delete;
  PortAttacher& operator=(const PortAttacher&) = delete;

  // Any thread.
  Status status() const;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace binlane
