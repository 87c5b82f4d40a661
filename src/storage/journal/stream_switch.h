// stream_switch: what changes in a journal that gives up its stream and switches to another one.
// Pure: the owner of the superblock stores the result before it counts. [S2]
#pragma once

#include "base/position.h"
#include "storage/journal/journal.h"
#include "storage/journal/journal_cursor.h"
#include "storage/journal/journal_meta.h"

namespace binlane {

// The newest block of a journal in which nothing is open or in flight.
JournalConsumed newest_block(const Journal& journal, const JournalMeta& meta);

// The superblock: the stream that ended at `sealed_at` is recorded as sealed, and nothing is held
// of `next` (null: of no stream) yet. UUID, promise and block numbers continue.
void switch_stream(JournalMeta& meta, const StreamIdentity& next, Position sealed_at,
                   const JournalConsumed& last);

// What the next Journal begins with.
void switch_stream(JournalStart& start, const JournalConsumed& last);

}  // namespace binlane
