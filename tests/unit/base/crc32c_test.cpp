#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace binlane::crc32c_test {

ConstBytes bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

TEST(Crc32c, GivesTheKnownValues) {
  EXPECT_EQ(crc32c(0, bytes("")), 0u);
  EXPECT_EQ(crc32c(0, bytes("123456789")), 0xE3069283u);
  // RFC 3720, B.4.
  EXPECT_EQ(crc32c(0, std::vector<std::byte>(32, std::byte{0x00})), 0x8A9136AAu);
  EXPECT_EQ(crc32c(0, std::vector<std::byte>(32, std::byte{0xff})), 0x62A8AB43u);
}

TEST(Crc32c, ContinuesOverAnySplit) {
  constexpr std::string_view kText = "the binlog file is the queue, and nobody copies it for us";
  for (std::size_t split = 0; split <= kText.size(); ++split) {
    EXPECT_EQ(crc32c(crc32c(0, bytes(kText.substr(0, split))), bytes(kText.substr(split))),
              crc32c(0, bytes(kText)));
  }
}

// One bit at a time, as the polynomial says.
std::uint32_t slow_crc32c(ConstBytes bytes) {
  std::uint32_t state = ~0U;
  for (const std::byte byte : bytes) {
    state ^= static_cast<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit)
      state = (state & 1) != 0 ? (state >> 1) ^ 0x82f63b78U : state >> 1;
  }
  return ~state;
}

// Every length up to a block and a little, at every alignment of eight: all ways through the code.
TEST(Crc32c, IsTheSameForEveryLength) {
  std::vector<std::byte> data(4200 + 8);
  std::uint32_t state = 1;
  for (std::byte& byte : data) byte = static_cast<std::byte>((state = state * 69069 + 1) >> 24);
  for (std::size_t length = 0; length <= 4200; length += length < 600 ? 1 : 37) {
    const ConstBytes part = ConstBytes(data).subspan(length % 8, length);
    ASSERT_EQ(crc32c(0, part), slow_crc32c(part)) << length;
  }
}

}  // namespace binlane::crc32c_test
