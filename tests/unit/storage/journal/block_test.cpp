#include "storage/journal/block.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string_view>

namespace binlane {
namespace {

std::unique_ptr<Block> sealed_block() {
  auto block = std::make_unique<Block>();
  block->magic = kBlockMagic;
  block->version = kBlockVersion;
  block->kind = static_cast<std::uint16_t>(BlockKind::data);
  block->journal_id = 0x1122334455667788;
  block->sequence = 9;
  block->completed_sequence = 8;
  block->file_number = 3;
  block->file_offset = 1234;
  block->batch_count = 1;
  constexpr std::string_view kText = "some bytes of a binlog";
  std::memcpy(block->payload.data(), kText.data(), kText.size());
  block->payload[100] = std::byte{0xee};  // left over from an earlier lap
  block->used_length = kText.size();
  finish_block(*block);
  return block;
}

TEST(Block, SealedBlocksValidate) {
  const auto block = sealed_block();
  EXPECT_TRUE(block_validates(*block));
  EXPECT_TRUE(block_is_well_formed(*block));
  EXPECT_EQ(block->payload[100], std::byte{0}) << "padding must be zero";
}

TEST(Block, EveryFlippedBitIsFound) {
  const auto block = sealed_block();
  auto* const bytes = reinterpret_cast<unsigned char*>(block.get());
  for (std::size_t bit = 0; bit < kBlockSize * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<unsigned char>(1u << (bit % 8));
    ASSERT_FALSE(block_validates(*block)) << "bit " << bit;
    bytes[bit / 8] ^= static_cast<unsigned char>(1u << (bit % 8));
  }
  EXPECT_TRUE(block_validates(*block));
}

TEST(Block, ZeroesDoNotValidate) {
  const auto block = std::make_unique<Block>();
  EXPECT_FALSE(block_validates(*block));
  EXPECT_FALSE(block_is_well_formed(*block));
}

// Fields that contradict each other are refused though the CRC is right.
TEST(Block, ChecksItsFields) {
  const auto breaks = [](auto change) {
    const auto block = sealed_block();
    change(*block);
    block->integrity.crc = block_crc(*block);
    EXPECT_TRUE(block_validates(*block));
    return !block_is_well_formed(*block);
  };
  EXPECT_FALSE(breaks([](Block&) {}));
  EXPECT_TRUE(breaks([](Block& block) { block.kind = 0; }));
  EXPECT_TRUE(breaks([](Block& block) { block.kind = 99; }));
  EXPECT_TRUE(breaks([](Block& block) { block.used_length = 0; }));
  EXPECT_TRUE(breaks([](Block& block) { block.used_length = kBlockPayloadSize + 1; }));
  EXPECT_TRUE(breaks([](Block& block) { block.used_length = 0xffffffff; }));
  EXPECT_TRUE(breaks([](Block& block) { block.sequence = 0; }));
  EXPECT_TRUE(breaks([](Block& block) { block.completed_sequence = 9; }));
  EXPECT_TRUE(breaks([](Block& block) { block.batch_index = 1; }));
  EXPECT_TRUE(breaks([](Block& block) { block.file_number = 0; }));
  EXPECT_TRUE(breaks([](Block& block) { block.zero[5] = std::byte{1}; }));
  EXPECT_TRUE(breaks([](Block& block) { block.payload[kBlockPayloadSize - 1] = std::byte{1}; }));
}

TEST(Block, ChecksTheEndOfAFile) {
  const auto make = [](std::uint64_t final_size, std::uint64_t last_group_end, std::uint32_t file) {
    auto block = sealed_block();
    FileEndPayload payload;
    payload.final_size = final_size;
    payload.last_group_end = last_group_end;
    payload.file = file;
    payload.flags_byte = 7;
    std::memcpy(block->payload.data(), &payload, sizeof payload);
    block->kind = static_cast<std::uint16_t>(BlockKind::file_end);
    block->used_length = sizeof payload;
    std::memset(block->payload.data() + sizeof payload, 0, kBlockPayloadSize - sizeof payload);
    block->integrity.crc = block_crc(*block);
    return block;
  };
  const auto good = make(1234, 1200, 3);
  ASSERT_TRUE(block_is_well_formed(*good));
  const FileEnd end = parse_file_end(*good);
  EXPECT_EQ(end.file, 3u);
  EXPECT_EQ(end.final_size, 1234u);
  EXPECT_EQ(end.last_group_end, 1200u);
  EXPECT_EQ(end.flags_byte, 7);
  EXPECT_FALSE(block_is_well_formed(*make(1234, 1235, 3)));
  EXPECT_FALSE(block_is_well_formed(*make(1233, 1200, 3)));
  EXPECT_FALSE(block_is_well_formed(*make(1234, 1200, 4)));
}

}  // namespace
}  // namespace binlane
