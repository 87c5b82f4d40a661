// Recovery: from the ring's bytes and the superblock to where the log ends. No I/O.
//
// The log is the chain of blocks behind the last archived one: each in its slot, of this journal,
// naming the CRC of the one before, not of an earlier opening than that. Where the chain breaks,
// the table (recovery_table.h) says why. What is known to have been durable comes from the
// completed sequence numbers in the chain, in good blocks of the same or a later opening behind the
// break, and in the superblock. A broken block that was once written as a whole - it is one bit
// off, or the medium refuses to read it - is no torn write: it counts as known durable as well, and
// so do the blocks that follow from it.
//
// Invariants: I2, I5. The result holds every block that was ever ACKed, or says that it does not.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/position.h"
#include "storage/journal.h"
#include "storage/journal_meta.h"
#include "storage/recovery_table.h"

namespace binlane {

struct JournalDamage {
  std::uint64_t first_sequence = 0;    // the first block that is missing
  Position before;                     // where the log ends because of it
  std::uint64_t durable_sequence = 0;  // the highest that is known to have been durable
  LogMark until;                       // behind the last unit that may have been ACKed
  std::string_view row;                // how recovery_table() calls it
};

// Blocks that do not validate behind the log's end. One crash leaves as many batches as were
// in flight; several may lie apart.
inline constexpr std::uint32_t kMaxDebrisBlocks = 8 * kMaxWritesInFlight * kMaxBatchBlocks;

struct RecoveredJournal {
  // Not to be opened: why, for the operator. Everything else is empty then.
  std::string refusal;
  JournalStart start;
  std::optional<JournalDamage> damage;
  // How many slots matched each row of recovery_table(), in its order.
  std::vector<std::uint32_t> counts;
  // The row at which the log ended; empty when the chain fills the whole ring.
  std::string_view ended_by;
};

// What the image holds in every byte of a block that the medium refused to read.
inline constexpr std::byte kUnreadableFill{0xee};

// `image` holds meta.block_count blocks. `meta` is the superblock as it was before this opening.
RecoveredJournal recover_journal(ConstBytes image, const JournalMeta& meta);

// The superblock to store before anything else is written: recovery's one and only write.
JournalMeta superblock_after(JournalMeta meta, const JournalStart& start);

}  // namespace binlane
