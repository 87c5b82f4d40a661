// BenchPort: one end's port, brought up: EAL when it is a DPDK one, and the peer's device.
#pragma once

#include <memory>
#include <string>

#include "dataplane/port/any_port.h"
#include "dataplane/port/port_attacher.h"

namespace binlane::bench {

class BenchPort {
 public:
  // `spec` as in a configuration, "vhost:" getting its socket below `folder`.
  BenchPort(const std::string& spec, PortSide side, const std::string& folder, double loss = 0);

  // Turns the port until its device exists (both ends are needed for that). Throws StartupError.
  void wait_attached();

  AnyPort& port() noexcept { return port_; }
  // Where this end is reached; fixed for DPDK, bound for UDP.
  Endpoint endpoint() noexcept;
  // Of the DPDK ends: known to each other beforehand.
  static Endpoint fixed_endpoint(PortSide side) noexcept;

 private:
  AnyPort port_;
  std::unique_ptr<PortAttacher> attacher_;
};

}  // namespace binlane::bench
