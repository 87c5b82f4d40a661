#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace binlane {
namespace {

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

}  // namespace
}  // namespace binlane
