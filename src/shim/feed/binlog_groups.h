// The event groups of a stretch of binlog, with their GTIDs and positions: for people who ask what
// became of a transaction, or which transactions two servers do not share.
//
// Reads whole files: for ordinary threads only.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/position.h"
#include "shim/feed/group_reader.h"

namespace binlane {

// Calls `take` for every whole event group that ends after `from`, up to the end of file `last`,
// until it returns false. If `from` is inside a group, nothing counts before that group's end.
// Returns nothing, or what went wrong.
std::string read_groups(const ArchivePlace& place, Position from, std::uint32_t last,
                        const std::function<bool(const BinlogGroup&)>& take);

// Where a GTID, not an anonymous one, is in the files `first` to `last`.
struct GroupSearch {
  std::optional<BinlogGroup> found;
  // Not found, and the files are whole and reach back far enough to prove that none of them
  // contains it.
  bool absent = false;
  std::string problem;  // why nothing is known; empty otherwise
};
GroupSearch find_group(const ArchivePlace& place, std::uint32_t first, std::uint32_t last,
                       const Gtid& gtid);

// The event group that ends at `at`; if none does, the first one of that file that ends later.
// `absent`: no whole group of the file ends there or later.
GroupSearch find_group_end(const ArchivePlace& place, Position at);

}  // namespace binlane
