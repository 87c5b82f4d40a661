// How a binlog file may end that has no Rotate or Stop event and is not the newest: as the crash of
// its server leaves it. [S24] Such a file is the last of its server's run, and ends with an event
// group that is not whole, or with zeros that a power cut left there.
//
// Anything else is damage: the server continued after half of what it wanted to write (MariaDB
// does, if the disk of its binlogs was full and the waiting client was killed), and every reader
// takes what follows for a part of the half event. The file may then contain whole event groups
// that no replica can be given, and whose clients were told OK.
//
// Reads the end of a file, bounded by its size: for ordinary threads only.
#pragma once

#include <cstdint>
#include <string>

#include "shim/binlog/binlog_folder.h"
#include "shim/binlog/group_tracker.h"

namespace binlane {

// Whether `bytes` hold the beginning of an event group somewhere: a GTID event and the event after
// it, of the same server, each with the place where it ends. Half an event holds no such thing.
// What begins at or after `begin_before` is not examined.
bool holds_group_begin(ConstBytes bytes, std::size_t begin_before) noexcept;

// Why the file that `tracker` has followed to its end, `size`, is damaged; empty if it ends as it
// should, or as a crash leaves it. `same_run`: the next file was made by the same run of the
// server.
std::string torn_end_problem(const BinlogFolder& folder, FileHandle handle,
                             const GroupTracker& tracker, std::uint64_t size, bool same_run);

}  // namespace binlane
