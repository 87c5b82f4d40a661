// `binlane-bench journal`: durable appends through the production journal and its disk, beside a
// bare io_uring loop with the same flags, file, block size and idle strategy.
#pragma once

#include <cstdint>
#include <string>

#include "dataplane/lane/idle_strategy.h"

namespace binlane::bench {

struct JournalOptions {
  std::string folder = ".";  // on the file system to be measured
  std::uint32_t rounds = 5;
  double seconds = 1;  // of one measurement
  std::uint32_t blocks = 4096;
  IdleMode idle = IdleMode::automatic;
  std::string json_path;
};

int run_journal(const JournalOptions& options);

}  // namespace binlane::bench
