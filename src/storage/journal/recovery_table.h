// The table by which recovery judges each block it meets: facts in, one row out.
//
// Every combination of facts matches exactly one row; a unit test goes through all of them. The
// point of the table is the fact known_durable: a block that does not validate is the head of a
// torn write only if nothing says that it had been durable. If something does, it may have been
// ACKed, and its loss is damage, never the end of the log.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace binlane {

// The facts about the block in one slot, in relation to the sequence number expected there. A fact
// means something only if those above it hold; otherwise the rows do not test it.
enum BlockFact : std::uint16_t {
  kFactZero = 1 << 0,        // all bytes are zero, as format left them
  kFactValid = 1 << 1,       // magic and CRC hold
  kFactOurVersion = 1 << 2,  // the block's format version
  kFactOurJournal = 1 << 3,  // the journal's id
  kFactWellFormed = 1 << 4,  // its fields do not contradict each other
  kFactRightSlot = 1 << 5,   // its sequence number belongs in this slot
  kFactExpected = 1 << 6,    // its sequence number is the one expected
  kFactOlder = 1 << 7,       // its sequence number is smaller: an earlier lap
  kFactFuture = 1 << 8,      // written by an opening that the superblock does not know
  kFactStale = 1 << 9,       // written by an opening before the one that wrote the block before it
  kFactLinked = 1 << 10,     // it names the CRC of the block before it
  kFactContinues = 1 << 11,  // position and epoch follow from the blocks before it
  kFactBehindBreak = 1 << 12,   // the log has ended before this slot
  kFactKnownDurable = 1 << 13,  // the expected sequence number was durable once
};
inline constexpr unsigned kBlockFactCount = 14;

enum class BlockEffect : std::uint8_t {
  extends,  // part of the log
  ends,     // the log ends before it; nothing is missing
  ignored,  // after the end, means nothing
  counts,   // after the end, but its completed sequence number is evidence
  damages,  // was durable and is not readable: the log ends before it, damaged
  refuses,  // the journal is not opened
};

struct RecoveryRow {
  std::string_view name;
  std::uint16_t mask;   // the facts that this row tests
  std::uint16_t value;  // the values that they must have
  BlockEffect effect;
  std::string_view meaning;
};

std::span<const RecoveryRow> recovery_table() noexcept;

// The row that matches.
const RecoveryRow& classify_block(std::uint16_t facts) noexcept;

}  // namespace binlane
