// `binlane-bench catchup`: bytes per second from a backlog through the wire into the production
// journal, beside what the port and the device could carry at the most.
#pragma once

#include <cstdint>
#include <string>

#include "dataplane/lane/idle_strategy.h"

namespace binlane::bench {

struct CatchUpOptions {
  std::string folder = ".";  // of the journal: on the file system to be measured
  std::uint32_t rounds = 5;
  double seconds = 2;  // of one measurement
  std::uint32_t blocks = 16384;
  IdleMode idle = IdleMode::automatic;
  std::string json_path;
};

int run_catchup(const CatchUpOptions& options);

}  // namespace binlane::bench
