#include "storage/journal/journal_cursor.h"

#include "base/assert.h"

namespace binlane {

JournalCursor::JournalCursor(const Journal& journal, const JournalConsumed& from)
    : table_(journal.table()), image_(journal.image()), consumed_(from) {}

const Block& JournalCursor::block(std::uint64_t sequence) const noexcept {
  const std::uint64_t slot = sequence % (image_.size() / kBlockSize);
  return *reinterpret_cast<const Block*>(image_.data() + slot * kBlockSize);
}

void JournalCursor::consume(const Block& walked, const BlockTable::Entry& entry) noexcept {
  ++consumed_.sequence;
  consumed_.crc = walked.integrity.crc;
  consumed_.incarnation = walked.incarnation;
  consumed_.epoch = walked.epoch();
  if (entry.units > 0) {
    consumed_.position = position_behind(entry.kind, entry.at, entry.units);
    consumed_.data_epoch = entry.epoch;
  } else if (consumed_.position.is_null()) {
    consumed_.position = entry.at;  // a new journal begins with a record
  }
  units_taken_ = 0;
}

std::optional<JournalSlice> JournalCursor::next(const ReleaseMark& mark) {
  // Bounded: each pass either returns or consumes one block before the mark.
  for (;;) {
    const std::uint64_t sequence = consumed_.sequence + 1;
    if (sequence > mark.sequence || (sequence == mark.sequence && mark.units == 0)) {
      return std::nullopt;
    }
    const Block& current = block(sequence);
    const BlockTable::Entry& entry = table_.released_entry(sequence);
    BL_ASSERT(current.sequence == sequence);
    // A later cut may be shortening the mark's own block right now: only the mark tells its units.
    const bool whole = sequence < mark.sequence;
    const std::uint32_t units = whole ? entry.units : mark.units;
    BL_ASSERT(units >= units_taken_);
    if (units == units_taken_) {
      if (!whole) return std::nullopt;
      consume(current, entry);
      continue;
    }
    JournalSlice slice;
    slice.at = {entry.at.file, entry.at.offset + units_taken_};
    slice.length = units - units_taken_;
    slice.file_end = entry.kind == BlockKind::file_end;
    if (slice.file_end)
      slice.end = parse_file_end(current);
    else
      slice.bytes = current.used().subspan(units_taken_, slice.length);
    units_taken_ = units;
    if (whole) consume(current, entry);
    return slice;
  }
}

}  // namespace binlane
