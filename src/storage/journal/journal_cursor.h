// JournalCursor: walks the released part of a journal, on the archive thread.
//
// It reads blocks and table entries only up to a ReleaseMark that came from the lane through a
// queue, and only after what this thread itself reported as archived. Those blocks are finished,
// durable and released, and their slots are not reused yet; the lane changes nothing there. So no
// lock is needed.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/epoch.h"
#include "base/file_end.h"
#include "base/position.h"
#include "base/stream_slice.h"
#include "storage/journal/journal.h"

namespace binlane {

// A piece of the released stream: bytes of one file, or the end of one.
struct JournalSlice : StreamSlice {
  ConstBytes bytes;  // of the ring; empty for the end of a file
};

// Everything up to and including block `sequence` was walked.
struct JournalConsumed {
  std::uint64_t sequence = 0;
  std::uint32_t crc = 0;          // of that block
  std::uint32_t incarnation = 0;  // of that block
  Position position;              // after the last unit of those blocks
  Epoch epoch;                    // of that block
  Epoch data_epoch;               // of that unit
};

class JournalCursor {
 public:
  // Begins after `from`. The journal's image and table must outlive this.
  JournalCursor(const Journal& journal, const JournalConsumed& from);

  // The next piece before `mark`; empty when there is none. Blocks without units are skipped.
  std::optional<JournalSlice> next(const ReleaseMark& mark);
  // Whole blocks walked so far. A block of which only a part was released is not included.
  const JournalConsumed& consumed() const noexcept { return consumed_; }

 private:
  const Block& block(std::uint64_t sequence) const noexcept;
  void consume(const Block& walked, const BlockTable::Entry& entry) noexcept;

  const BlockTable& table_;
  ConstBytes image_;
  JournalConsumed consumed_;
  std::uint32_t units_taken_ = 0;  // of block consumed_.sequence + 1
};

}  // namespace binlane
