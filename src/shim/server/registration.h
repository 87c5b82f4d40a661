// Registration: where a dump connection begins, and the incarnation of the stream whose positions
// it speaks in. Registering is an ACK of everything before (safety rule S3).
#pragma once

#include <cstdint>

#include "base/position.h"

namespace binlane {

struct Registration {
  Position start;
  std::uint32_t incarnation = 0;
};

}  // namespace binlane
