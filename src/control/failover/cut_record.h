// What `binlane rejoin --cut` has begun to cut off the server's binlogs (TailCut); in the host's
// role.
#pragma once

#include <cstdint>

#include "base/position.h"

namespace binlane {

// What is cut: everything from `at` on, up to the file `last`.
struct CutRecord {
  Position at;  // null: no cut is under way
  std::uint32_t last = 0;

  bool under_way() const noexcept { return !at.is_null(); }
  bool operator==(const CutRecord&) const = default;
};

}  // namespace binlane
