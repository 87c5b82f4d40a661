// UUIDs as text, and random ones.
#include "base/uuid.h"

#include <gtest/gtest.h>

namespace binlane {
namespace {

Uuid counted() {
  Uuid uuid;
  for (std::size_t i = 0; i < uuid.bytes.size(); ++i)
    uuid.bytes[i] = static_cast<std::uint8_t>(0x11 * i);
  return uuid;
}

TEST(Uuid, IsWrittenInFiveGroupsOfLowerCaseDigits) {
  EXPECT_EQ(to_string(counted()), "00112233-4455-6677-8899-aabbccddeeff");
}

TEST(Uuid, IsReadBackAsItWasWritten) {
  EXPECT_EQ(parse_uuid("00112233-4455-6677-8899-aabbccddeeff"), counted());
  const Uuid random = Uuid::random();
  EXPECT_EQ(parse_uuid(to_string(random)), random);
}

TEST(Uuid, AnyOtherTextIsNone) {
  for (const char* const text :
       {"", "00112233-4455-6677-8899-aabbccddeef", "00112233-4455-6677-8899-aabbccddeeff0",
        "00112233-4455-6677-8899-AABBCCDDEEFF", "00112233445566778899aabbccddeeff",
        "001122334-455-6677-8899-aabbccddeeff", "00112233-4455-6677-8899-aabbccddeefg",
        "00112233-4455-6677-8899-aabbccddee f"})
    EXPECT_FALSE(parse_uuid(text).has_value()) << text;
}

// RFC 4122, version 4: so an operator's other tools take it for what it is.
TEST(Uuid, ARandomOneSaysSo) {
  for (int i = 0; i < 100; ++i) {
    const std::string text = to_string(Uuid::random());
    EXPECT_EQ(text[14], '4') << text;
    EXPECT_NE(std::string("89ab").find(text[19]), std::string::npos) << text;
  }
  EXPECT_NE(Uuid::random(), Uuid::random());
}

TEST(Uuid, OnlyTheOneWithoutABitIsNull) {
  EXPECT_TRUE(Uuid{}.is_null());
  Uuid last;
  last.bytes[15] = 1;
  EXPECT_FALSE(last.is_null());
  EXPECT_NE(random_u64(), 0U);
}

}  // namespace
}  // namespace binlane
