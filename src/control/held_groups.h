// held_groups(): how far whole event groups reach in what a replica holds.
//
// Behind the last of them stands half a group at most, of which no client was ever told: a source
// acknowledges whole groups only. So a later term may cut it off, though its source had synced it
// and this replica had acknowledged it (safety rule S2): it is what a source leaves that dies
// while it sends a large transaction.
//
// Reads the archived part of one binlog file, and what the journal holds behind it. For ordinary
// threads, while the lane stands still.
#pragma once

#include <cstdint>
#include <optional>

#include "shim/binlog_files.h"
#include "shim/group_tracker.h"
#include "shim/stream_scan.h"
#include "storage/journal.h"
#include "storage/journal_cursor.h"

namespace binlane {

// Log offsets of a journal.
struct HeldGroups {
  std::uint64_t whole_log = 0;  // behind the last whole event group; 0: before all that it holds
  std::uint64_t end_log = 0;    // where the log ended when this was so
};

// `archive`: files that hold everything up to `archived`. Nothing while writes are in flight, and
// when it cannot be read, or is no binlog.
template <BinlogFiles Files>
std::optional<HeldGroups> held_groups(Files& archive, const Journal& journal,
                                      const JournalConsumed& archived) {
  if (!journal.idle() || journal.failed() || journal.end().is_null()) return std::nullopt;
  JournalCursor cursor(journal, archived);
  ReleaseMark everything;
  everything.sequence = journal.last_sequence() + 1;
  std::optional<JournalChunk> chunk = cursor.next(everything);
  const Position from = chunk ? chunk->at : journal.end();
  GroupTracker tracker;
  if (!follow_to(archive, from, tracker)) return std::nullopt;
  for (; chunk; chunk = cursor.next(everything)) {
    if (tracker.broken() || tracker.end() != chunk->at) return std::nullopt;
    if (chunk->file_end)
      tracker.start_file(chunk->at.file + 1);
    else
      tracker.on_bytes(chunk->at.offset, chunk->bytes);
  }
  if (tracker.broken() || tracker.end() != journal.end()) return std::nullopt;
  return HeldGroups{journal.log_of(tracker.last_group_end()).value_or(0), journal.end_log()};
}

}  // namespace binlane
