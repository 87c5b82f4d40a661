#include "storage/block.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/crc32c.h"

namespace binlane {
namespace {

bool all_zero(ConstBytes bytes) noexcept {
  // Each byte equals its neighbour and the first is zero: memcmp is much faster than a loop here.
  return bytes.empty() || (bytes[0] == std::byte{0} &&
                           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace

std::uint32_t block_crc(const Block& block) noexcept {
  constexpr std::size_t kBefore = offsetof(Block, integrity);
  constexpr std::size_t kBehind = kBefore + sizeof(BlockIntegrity);
  constexpr std::array<std::byte, sizeof(BlockIntegrity)> kZero{};
  const ConstBytes bytes = block.bytes();
  return crc32c(crc32c(crc32c(0, bytes.first(kBefore)), kZero), bytes.subspan(kBehind));
}

std::uint32_t seal_block(Block& block) noexcept {
  BL_ASSERT(block.used_length <= kBlockPayloadSize);
  const std::size_t used = block.used_length;
  std::fill(block.payload.begin() + static_cast<std::ptrdiff_t>(used), block.payload.end(),
            std::byte{0});
  block.zero = {};
  block.integrity = {};
  block.integrity.crc = block_crc(block);
  BL_ASSERT(block_is_well_formed(block));
  return block.integrity.crc;
}

bool block_validates(const Block& block) noexcept {
  return block.magic == kBlockMagic && all_zero(block.integrity.zero) &&
         block.integrity.crc == block_crc(block);
}

bool block_is_well_formed(const Block& block) noexcept {
  if (block.used_length > kBlockPayloadSize || block.sequence == 0 ||
      block.completed_sequence >= block.sequence || block.batch_index >= block.batch_count ||
      !all_zero(block.zero)) {
    return false;
  }
  if (!all_zero(ConstBytes(block.payload).subspan(block.used_length))) return false;
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

FileEnd parse_file_end(const Block& block) noexcept {
  FileEndPayload payload;
  std::memcpy(static_cast<void*>(&payload), block.payload.data(), sizeof payload);
  return {payload.file, payload.final_size, payload.last_group_end, payload.flags_byte};
}

}  // namespace binlane
