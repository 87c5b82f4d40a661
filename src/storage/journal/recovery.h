// Recovery: computes from the ring's bytes and the superblock where the log ends. No I/O.
//
// The log is the chain of blocks after the last archived one: each in its slot, of this journal,
// naming the CRC of the block before, and not of an earlier opening than that block. Where the
// chain breaks, the table (recovery_table.h) says why. What is known to have been durable comes
// from three places: the completed sequence numbers in the chain, those in good blocks of the same
// or a later opening after the break, and the superblock. A broken block that was once written as a
// whole - it is one bit off, or the medium cannot read it - is no torn write: it counts as known
// durable as well, and so do the blocks that follow from it.
//
// The result holds every block that was ever ACKed, or says that it does not. [I2, I5]
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/position.h"
#include "storage/journal/journal.h"
#include "storage/journal/journal_meta.h"
#include "storage/journal/recovery_table.h"

namespace binlane {

struct JournalDamage {
  std::uint64_t first_sequence = 0;    // the first block that is missing
  Position before;                     // where the log ends because of it
  std::uint64_t durable_sequence = 0;  // the highest that is known to have been durable
  LogMark until;                       // after the last unit that may have been ACKed
  std::string_view row;                // its name in recovery_table()
};

// Blocks that do not validate after the log's end. One crash leaves as many batches as were in
// flight, perhaps not next to each other.
inline constexpr std::uint32_t kMaxDebrisBlocks = 8 * kMaxWritesInFlight * kMaxBatchBlocks;

struct RecoveredJournal {
  // Why the journal must not be opened, for the operator. Everything else is empty then.
  std::string refusal;
  JournalStart start;
  std::optional<JournalDamage> damage;
  // How many slots matched each row of recovery_table(), in its order.
  std::vector<std::uint32_t> counts;
  // The row at which the log ended; empty when the chain fills the whole ring.
  std::string_view ended_by;
};

// The value of every byte in the image for a block that the medium could not read.
inline constexpr std::byte kUnreadableFill{0xee};

// `image` holds meta.block_count blocks. `meta` is the superblock as it was before this opening.
RecoveredJournal recover_journal(ConstBytes image, const JournalMeta& meta);

// The superblock to store before anything else is written. Recovery writes nothing else.
JournalMeta superblock_after(JournalMeta meta, const JournalStart& start);

}  // namespace binlane
