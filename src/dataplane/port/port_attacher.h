// PortPlugger: brings the device of one DpdkPort into being, in a thread of its own.
//
// Plugging in a vhost-user server blocks inside EAL until its peer connects, maybe for ever; the
// daemon meanwhile serves its admin socket, its server and its other ports. A failure is tried
// again with a growing pause, at most kMaxPlugAttempts times.
//
// EAL offers no way to end a blocked plug-in: destroying the PortPlugger abandons the thread, which
// then never touches the DpdkPort again, and the process must leave by _exit() (eal.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "dataplane/dpdk_port.h"

namespace binlane {

inline constexpr std::uint32_t kMaxPlugAttempts = 60;
inline constexpr std::uint64_t kFirstPlugPauseNs = 100 * kNanosPerMilli;
inline constexpr std::uint64_t kMaxPlugPauseNs = 5 * kNanosPerSecond;

class PortPlugger {
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

  // EAL must be up (eal.h) and `port` of kind vhost or dpdk. Starts at once.
  explicit PortPlugger(DpdkPort& port);
  // Returns without waiting for the peer. Destroy it before its DpdkPort.
  ~PortPlugger();
  PortPlugger(const PortPlugger&) = delete;
  PortPlugger& operator=(const PortPlugger&) = delete;

  // Any thread.
  Status status() const;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace binlane
