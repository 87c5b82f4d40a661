// QueueCount: how often one queue between two threads was full, as status and metrics show it.
#pragma once

#include <cstdint>

namespace binlane {

struct QueueCount {
  const char* queue = "";
  std::uint64_t times_full = 0;
};

}  // namespace binlane
