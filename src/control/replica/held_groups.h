// held_groups(): how far whole event groups reach in the log that a replica holds.
//
// After the last whole group there is at most half a group. No client was ever told of that half,
// because a source acknowledges whole groups only. So a source of a later term may cut it off, even
// if the earlier source had synced it and this replica had acknowledged it. A source leaves such a
// half when it dies while it sends a large transaction. [S2, I6]
//
// Reads the archived part of one binlog file, and then what the journal holds after that. For
// ordinary threads, while the lane is quiesced.
#pragma once

#include <cstdint>
#include <optional>

#include "shim/binlog/binlog_folder.h"
#include "storage/journal/journal.h"
#include "storage/journal/journal_cursor.h"

namespace binlane {

// Both are log offsets of the journal.
struct HeldGroups {
  std::uint64_t whole_log = 0;  // the end of the last whole event group; 0: older than the journal
  std::uint64_t end_log = 0;    // where the log ended when this was read
};

// `archive` holds everything up to `archived`. Returns nothing while writes are in flight, and if
// the bytes cannot be read or are no binlog.
std::optional<HeldGroups> held_groups(const BinlogFolder& archive, const Journal& journal,
                                      const JournalConsumed& archived);

}  // namespace binlane
