// `binlane-bench transport` and `loss`: round trips of one commit between two processes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/lane/idle_strategy.h"

namespace binlane::bench {

struct TransportOptions {
  std::vector<std::string> ports = {"vhost", "udp"};
  std::vector<std::uint32_t> bytes = {64, 1376};
  std::uint32_t rounds = 5;
  double seconds = 1;  // of one measurement
  IdleMode idle = IdleMode::spin;
  // loss only: of both directions, in percent.
  std::vector<double> loss_percent = {0, 0.1, 1, 5};
  std::string json_path;
};

// From the turn in which the source's lane sees the bytes to the turn whose ACK (level `received`)
// covers them, beside raw DPDK on the same port and the kernel's UDP and TCP.
int run_transport(const TransportOptions& options);

// The same at several losses; and the commits that had to be repaired, by themselves.
int run_loss(const TransportOptions& options);

}  // namespace binlane::bench
