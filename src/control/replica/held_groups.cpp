#include "control/replica/held_groups.h"

#include "shim/binlog/group_tracker.h"
#include "shim/binlog/stream_scan.h"

namespace binlane {

std::optional<HeldGroups> held_groups(const BinlogFolder& archive, const Journal& journal,
                                      const JournalConsumed& archived) {
  if (!journal.idle() || journal.failed() || journal.end().is_null()) return std::nullopt;
  JournalCursor cursor(journal, archived);
  ReleaseMark everything;
  everything.sequence = journal.last_sequence() + 1;
  std::optional<JournalSlice> slice = cursor.next(everything);
  const Position from = slice ? slice->at : journal.end();
  GroupTracker tracker;
  if (!follow_to(archive, from, tracker)) return std::nullopt;
  for (; slice; slice = cursor.next(everything)) {
    if (tracker.broken() || tracker.end() != slice->at) return std::nullopt;
    if (slice->file_end)
      tracker.start_file(slice->at.file + 1);
    else
      tracker.on_bytes(slice->at.offset, slice->bytes);
  }
  if (tracker.broken() || tracker.end() != journal.end()) return std::nullopt;
  return HeldGroups{journal.log_of(tracker.last_group_end()).value_or(0), journal.end_log()};
}

}  // namespace binlane
