#include "base/crc32.h"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace binlane {
namespace {

ConstBytes bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

TEST(Crc32, GivesTheKnownValues) {
  EXPECT_EQ(crc32(0, bytes("")), 0u);
  EXPECT_EQ(crc32(0, bytes("123456789")), 0xCBF43926u);
}

TEST(Crc32, ContinuesOverAnySplit) {
  constexpr std::string_view kText = "the binlog file is the queue, and nobody copies it for us";
  for (std::size_t split = 0; split <= kText.size(); ++split) {
    EXPECT_EQ(crc32(crc32(0, bytes(kText.substr(0, split))), bytes(kText.substr(split))),
              crc32(0, bytes(kText)));
  }
}

TEST(Crc32, OfAWholeEventIsAlwaysTheSame) {
  for (const std::size_t size : {0U, 1U, 19U, 31U, 4096U}) {
    std::vector<std::byte> event(size, std::byte{0x5a});
    event.resize(size + 4);
    store_le<std::uint32_t>(event.data() + size, crc32(0, ConstBytes(event).first(size)));
    EXPECT_EQ(crc32(0, event), kCrc32OfWholeEvent);
  }
}

}  // namespace
}  // namespace binlane
