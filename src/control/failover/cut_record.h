// CutRecord: what `binlane rejoin --cut` has begun to cut off the server's binlogs (TailCut). A
// part of the host's role record.
#pragma once

#include <cstdint>

#include "base/position.h"

namespace binlane {

// The cut removes everything from `at` on, up to and including the file `last`.
struct CutRecord {
  Position at;  // null: no cut is in progress
  std::uint32_t last = 0;

  bool under_way() const noexcept { return !at.is_null(); }
  bool operator==(const CutRecord&) const = default;
};

}  // namespace binlane
