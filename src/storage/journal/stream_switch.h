// stream_switch: what changes in a journal that gives up its stream and goes over to another one
// (safety rule S2). Pure: whoever keeps the superblock stores the result before it counts.
#pragma once

#include "base/position.h"
#include "storage/journal.h"
#include "storage/journal_cursor.h"
#include "storage/journal_meta.h"

namespace binlane {

// The newest block of a journal in which nothing is open or in flight.
JournalConsumed newest_block(const Journal& journal, const JournalMeta& meta);

// The superblock: the stream that ended at `sealed_at` goes on record as sealed, and nothing is
// held of `next` (which may be null: of none) yet. UUID, promise and block numbers go on.
void switch_stream(JournalMeta& meta, const StreamIdentity& next, Position sealed_at,
                   const JournalConsumed& last);

// What the next Journal begins with.
void switch_stream(JournalStart& start, const JournalConsumed& last);

}  // namespace binlane
