// The journal's block as it is stored on disk: 4096 bytes, a header of 128 and a payload of 3968.
//
// The CRC32C covers all 4096 bytes (the integrity field taken as zero), including the zero padding.
// The header names the journal, the block's sequence number, epoch and incarnation. So a block of
// an earlier lap, of another journal, or one that was written to the wrong place never validates
// where it is not expected. docs/JOURNAL_FORMAT.md describes every field.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/epoch.h"
#include "base/file_end.h"
#include "base/position.h"

namespace binlane {

inline constexpr std::size_t kBlockSize = 4096;
inline constexpr std::size_t kBlockHeaderSize = 128;
inline constexpr std::size_t kBlockPayloadSize = kBlockSize - kBlockHeaderSize;
inline constexpr std::uint32_t kBlockMagic = 0x4b424c42;  // "BLBK"
inline constexpr std::uint16_t kBlockVersion = 1;

enum class BlockKind : std::uint16_t {
  data = 1,      // bytes of one binlog file, beginning at the header's position
  file_end = 2,  // the end of the file of the header's position; one unit of the stream
  cut = 3,       // the log is truncated to the header's position, in the header's epoch
  epoch = 4,     // the blocks that follow were made in the header's epoch
  rule = 5,      // reserved for numbered quorum rules
};

// Integrity: CRC32C now; the field has the size of an AEAD tag.
struct BlockIntegrity {
  le32 crc;
  std::array<std::byte, 12> zero{};
};

struct Block {
  le32 magic;
  le16 version;
  le16 kind;
  le64 journal_id;
  le64 sequence;            // of this block; the first is 1
  le64 completed_sequence;  // every block up to it was durable when this one was submitted
  le32 epoch_term;
  le32 epoch_incarnation;
  le64 file_offset;
  le32 file_number;
  le32 used_length;  // bytes of the payload; the rest is zero
  le32 incarnation;  // of the journal; grows at each opening
  le16 batch_index;
  le16 batch_count;
  le64 released_offset;
  le32 released_file;
  le32 previous_crc;  // of block sequence - 1
  BlockIntegrity integrity;
  le32 key_id;
  std::array<std::byte, 28> zero{};
  std::array<std::byte, kBlockPayloadSize> payload{};

  Position position() const noexcept { return {file_number, file_offset}; }
  Position released() const noexcept { return {released_file, released_offset}; }
  Epoch epoch() const noexcept { return {epoch_term, epoch_incarnation}; }
  // The payload in use. The caller has verified the block.
  ConstBytes used() const noexcept { return ConstBytes(payload).first(used_length); }
  ConstBytes bytes() const noexcept {
    return {reinterpret_cast<const std::byte*>(this), kBlockSize};
  }
};
static_assert(sizeof(Block) == kBlockSize && alignof(Block) == 1);
static_assert(offsetof(Block, magic) == 0 && offsetof(Block, version) == 4 &&
              offsetof(Block, kind) == 6 && offsetof(Block, journal_id) == 8 &&
              offsetof(Block, sequence) == 16 && offsetof(Block, completed_sequence) == 24 &&
              offsetof(Block, epoch_term) == 32 && offsetof(Block, epoch_incarnation) == 36 &&
              offsetof(Block, file_offset) == 40 && offsetof(Block, file_number) == 48 &&
              offsetof(Block, used_length) == 52 && offsetof(Block, incarnation) == 56 &&
              offsetof(Block, batch_index) == 60 && offsetof(Block, batch_count) == 62 &&
              offsetof(Block, released_offset) == 64 && offsetof(Block, released_file) == 72 &&
              offsetof(Block, previous_crc) == 76 && offsetof(Block, integrity) == 80 &&
              offsetof(Block, key_id) == 96 && offsetof(Block, zero) == 100 &&
              offsetof(Block, payload) == kBlockHeaderSize);
static_assert(sizeof(BlockIntegrity) == 16);

// Payload of a FILE_END block.
struct FileEndPayload {
  le64 final_size;
  le64 last_group_end;
  le32 file;
  std::uint8_t flags_byte = 0;
  std::array<std::byte, 11> zero{};
};
static_assert(sizeof(FileEndPayload) == 32 && offsetof(FileEndPayload, file) == 16 &&
              offsetof(FileEndPayload, flags_byte) == 20);

// Payload of a CUT block: where the log ended before the cut, for people and for the tests. The
// target is the header's position, and the new epoch is the header's epoch.
struct CutPayload {
  le64 old_end_offset;
  le32 old_end_file;
  le32 zero;
};
static_assert(sizeof(CutPayload) == 16 && offsetof(CutPayload, old_end_file) == 8);

// Payload of an EPOCH block: the epoch before it.
struct EpochPayload {
  le32 old_term;
  le32 old_incarnation;
};
static_assert(sizeof(EpochPayload) == 8);

// Payload of a RULE block (reserved): a numbered quorum rule, as text after this struct.
struct RulePayload {
  le32 number;
  le32 text_length;
};
static_assert(sizeof(RulePayload) == 8);

// The CRC32C of the block with its integrity field taken as zero.
std::uint32_t block_crc(const Block& block) noexcept;

// Zeroes what is unused and stores the CRC. Returns the CRC.
std::uint32_t finish_block(Block& block) noexcept;

// Whether magic and CRC are right. This says nothing about version, journal or place; recovery
// judges those.
bool block_validates(const Block& block) noexcept;

// The block that validates and differs from this one in exactly one bit; empty if this one
// validates or there is no such block (there is never more than one, because the CRC detects any
// three wrong bits of a block). It is evidence for recovery that a block was once written as a
// whole, and never a repair.
std::optional<Block> block_one_bit_away(const Block& block) noexcept;

// Whether the fields of a block that validates, of our version, are consistent by themselves: a
// known kind, a used length that fits it, zeros in all reserved places. A block that we finished
// always is.
bool block_is_well_formed(const Block& block) noexcept;

// The caller has checked block_is_well_formed() and the kind.
FileEnd parse_file_end(const Block& block) noexcept;

}  // namespace binlane
