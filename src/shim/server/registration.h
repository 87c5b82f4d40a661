// Registration: where a dump connection begins, and the incarnation of the stream that its
// positions belong to. Registering is an ACK of everything before. [S3]
#pragma once

#include <cstdint>

#include "base/position.h"

namespace binlane {

struct Registration {
  Position start;
  std::uint32_t incarnation = 0;
};

}  // namespace binlane
