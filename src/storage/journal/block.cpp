#include "storage/journal/block.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/crc32c.h"

namespace binlane {
namespace {

bool all_zero(ConstBytes bytes) noexcept {
  // memcmp checks that each byte equals its neighbour and that the first is zero: it is much faster
  // than a loop here.
  return bytes.empty() || (bytes[0] == std::byte{0} &&
                           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

// The CRC's polynomial, bits reversed as the CRC has them.
constexpr std::uint32_t kCrc32cPolynomial = 0x82f63b78;

// Everything that makes a block well formed, except the zeros after the used part of its payload.
bool has_sound_fields(const Block& block) noexcept {
  if (block.used_length > kBlockPayloadSize || block.sequence == 0 ||
      block.completed_sequence >= block.sequence || block.batch_index >= block.batch_count ||
      !all_zero(block.zero)) {
    return false;
  }
  switch (static_cast<BlockKind>(static_cast<std::uint16_t>(block.kind))) {
    case BlockKind::data:
      return block.used_length > 0 && block.file_number != 0;
    case BlockKind::file_end: {
      if (block.used_length != sizeof(FileEndPayload)) return false;
      const FileEnd end = parse_file_end(block);
      return end.file != 0 && Position{end.file, end.final_size} == block.position() &&
             end.last_group_end <= end.final_size;
    }
    case BlockKind::cut:
      return block.used_length == sizeof(CutPayload) && block.file_number != 0;
    case BlockKind::epoch:
      return block.used_length == sizeof(EpochPayload);
    case BlockKind::rule:
      return block.used_length >= sizeof(RulePayload);
  }
  return false;
}

}  // namespace

std::uint32_t block_crc(const Block& block) noexcept {
  constexpr std::size_t kBefore = offsetof(Block, integrity);
  constexpr std::size_t kBehind = kBefore + sizeof(BlockIntegrity);
  constexpr std::array<std::byte, sizeof(BlockIntegrity)> kZero{};
  const ConstBytes bytes = block.bytes();
  return crc32c(crc32c(crc32c(0, bytes.first(kBefore)), kZero), bytes.subspan(kBehind));
}

std::uint32_t finish_block(Block& block) noexcept {
  BL_ASSERT(block.used_length <= kBlockPayloadSize);
  const std::size_t used = block.used_length;
  std::fill(block.payload.begin() + static_cast<std::ptrdiff_t>(used), block.payload.end(),
            std::byte{0});
  block.zero = {};
  block.integrity = {};
  block.integrity.crc = block_crc(block);
  // The rest of the payload was zeroed just now, so only the other properties of a well-formed
  // block are checked.
  BL_ASSERT(has_sound_fields(block));
  return block.integrity.crc;
}

bool block_validates(const Block& block) noexcept {
  return block.magic == kBlockMagic && all_zero(block.integrity.zero) &&
         block.integrity.crc == block_crc(block);
}

std::optional<Block> block_one_bit_away(const Block& block) noexcept {
  const auto flipped = [&block](std::size_t bit) -> std::optional<Block> {
    Block other = block;
    reinterpret_cast<std::byte*>(&other)[bit / 8] ^= std::byte{1} << static_cast<int>(bit % 8);
    if (!block_validates(other)) return std::nullopt;
    return other;
  };
  constexpr std::size_t kFieldBegin = offsetof(Block, integrity) * 8;
  constexpr std::size_t kFieldEnd = kFieldBegin + sizeof(BlockIntegrity) * 8;
  for (std::size_t bit = kFieldBegin; bit < kFieldEnd; ++bit) {
    if (auto other = flipped(bit)) return other;
  }
  // A CRC is linear: one wrong bit changes it by that bit's own contribution, which depends only on
  // the number of bits after it. So the difference tells which bit is wrong.
  const std::uint32_t difference = block.integrity.crc ^ block_crc(block);
  std::uint32_t contribution = kCrc32cPolynomial;  // of the last bit
  for (std::size_t bit = kBlockSize * 8; bit-- > 0;) {
    const bool counts = bit < kFieldBegin || bit >= kFieldEnd;
    if (counts && contribution == difference) return flipped(bit);
    contribution = contribution >> 1 ^ ((contribution & 1) != 0 ? kCrc32cPolynomial : 0);
  }
  return std::nullopt;
}

bool block_is_well_formed(const Block& block) noexcept {
  return has_sound_fields(block) && all_zero(ConstBytes(block.payload).subspan(block.used_length));
}

FileEnd parse_file_end(const Block& block) noexcept {
  FileEndPayload payload;
  std::memcpy(static_cast<void*>(&payload), block.payload.data(), sizeof payload);
  return {payload.file, payload.final_size, payload.last_group_end, payload.flags_byte};
}

}  // namespace binlane
