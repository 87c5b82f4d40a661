#include "storage/journal/stream_switch.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "storage/journal/block.h"

namespace binlane {

// The newest block of a journal in which nothing is open or in flight.
JournalConsumed newest_block(const Journal& journal, const JournalMeta& meta) {
  JournalConsumed last = meta.archived;
  BL_ASSERT(journal.idle());
  if (journal.last_sequence() == last.sequence) return last;
  const std::size_t slot = journal.last_sequence() % journal.block_count();
  Block block;
  std::memcpy(static_cast<void*>(&block), journal.image().data() + slot * kBlockSize, kBlockSize);
  BL_ASSERT(block.sequence == journal.last_sequence());
  last.sequence = journal.last_sequence();
  last.crc = block.integrity.crc;
  last.incarnation = block.incarnation;
  last.epoch = block.epoch();
  last.data_epoch = journal.data_epoch();
  return last;
}

void switch_stream(JournalMeta& meta, const StreamIdentity& next, Position sealed_at,
                   const JournalConsumed& last) {
  BL_ASSERT(last.sequence >= meta.archived.sequence);
  if (!meta.stream.is_null()) {
    if (meta.sealed.size() == kMaxSealedStreams) meta.sealed.erase(meta.sealed.begin());
    meta.sealed.push_back({meta.stream, sealed_at, meta.own_folder});
    meta.own_folder = true;
  }
  if (next.is_null()) meta.forgotten_term = std::max(meta.forgotten_term, meta.stream.term);
  meta.stream = next;
  meta.archived = last;
  meta.archived.position = {};
  meta.durable_sequence = last.sequence;
  meta.durable = {last.epoch, {}};
  meta.released = {};
  meta.damaged_until = {};
  meta.learner_until = {};
  meta.rules.clear();
}

void switch_stream(JournalStart& start, const JournalConsumed& last) {
  start.next_sequence = last.sequence + 1;
  start.previous_crc = last.crc;
  start.archived_sequence = last.sequence;
  start.archived = start.end = start.released = {};
  start.archived_data_epoch = last.data_epoch;
  start.epoch = last.epoch;
  start.damaged_until = {};
}

}  // namespace binlane
