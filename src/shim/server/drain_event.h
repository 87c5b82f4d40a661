// DrainEvent: an event whose ACK the server wants, on its way from the drain thread to the lane.
#pragma once

#include <cstdint>

#include "base/position.h"

namespace binlane {

// Cumulative: the newest covers the ones before it.
struct DrainEvent {
  Position end;
  std::uint32_t generation = 0;  // of the connection it came from
};

}  // namespace binlane
