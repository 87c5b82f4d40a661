#include "shim/server/semi_sync_ack.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace binlane {
namespace {

std::string name_of(std::string_view basename, std::uint32_t file) {
  std::array<char, kMaxBinlogNameSize> out;
  return {out.data(), format_binlog_name(out, basename, file)};
}

TEST(SemiSyncAck, BytesOnTheWire) {
  std::array<std::byte, kMaxSemiSyncAckSize> out;
  const std::size_t size = encode_semi_sync_ack(out, "binlog.000017", 0x0123'4567'89ab'cdef);
  ASSERT_EQ(size, 4U + 1 + 8 + 13);
  const std::vector<unsigned> head{22, 0, 0, 0, 0xef, 0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 1};
  for (std::size_t i = 0; i < head.size(); ++i)
    EXPECT_EQ(std::to_integer<unsigned>(out[i]), head[i]) << "byte " << i;
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(out.data()) + 13, 13), "binlog.000017");
}

TEST(SemiSyncAck, LongestName) {
  std::array<std::byte, kMaxSemiSyncAckSize> out;
  EXPECT_EQ(encode_semi_sync_ack(out, std::string(kMaxBinlogNameSize, 'x'), 4),
            kMaxSemiSyncAckSize);
}

TEST(SemiSyncAckDeathTest, NamesThatDoNotFit) {
  std::array<std::byte, kMaxSemiSyncAckSize> out;
  EXPECT_DEATH(encode_semi_sync_ack(out, std::string(kMaxBinlogNameSize + 1, 'x'), 4), "");
  EXPECT_DEATH(encode_semi_sync_ack(out, "", 4), "");
  EXPECT_DEATH(encode_semi_sync_ack(MutableBytes(out).first(20), "binlog.000017", 4), "");
  EXPECT_DEATH(name_of(std::string(kMaxBinlogNameSize - 6, 'x'), 1), "");
}

TEST(SemiSyncAck, BinlogNames) {
  EXPECT_EQ(name_of("binlog", 1), "binlog.000001");
  EXPECT_EQ(name_of("my.bin", 999'999), "my.bin.999999");
  EXPECT_EQ(name_of("b", 1'000'000), "b.1000000");
  EXPECT_EQ(name_of("b", 4'294'967'295), "b.4294967295");
}

}  // namespace
}  // namespace binlane
