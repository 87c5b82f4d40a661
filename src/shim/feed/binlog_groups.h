// The event groups of a stretch of binlog, with their GTIDs and places: for people, who ask what
// became of a transaction, or which ones two servers do not share.
//
// Reads whole files: for ordinary threads only.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/position.h"
#include "shim/group_reader.h"

namespace binlane {

// Calls `take` for every whole event group that ends behind `from`, up to the end of file `last`,
// until it returns false. Of a group that `from` lies in nothing counts before its end. Empty, or
// what went wrong. MariaDB's binlogs only.
std::string read_groups(const ArchivePlace& place, Position from, std::uint32_t last,
                        const std::function<bool(const BinlogGroup&)>& take);

// Where a GTID is in the files `first` to `last`.
struct GroupSearch {
  std::optional<BinlogGroup> found;
  // Not found, and the files are whole and reach back far enough to say that it is in none of them.
  bool absent = false;
  std::string problem;  // why nothing can be said; empty otherwise
};
GroupSearch find_group(const ArchivePlace& place, std::uint32_t first, std::uint32_t last,
                       const GtidEntry& gtid);

}  // namespace binlane
