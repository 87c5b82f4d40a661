// caching_sha2_password, against exchanges recorded between a client and a server of MySQL 9.7.

#include "shim/feed/caching_sha2.h"

#include <gtest/gtest.h>

#include <string>

#include "support/mysql_data.h"

namespace binlane::mysql {
namespace {

using test::from_hex;

constexpr std::string_view kPassword = "Geheim und lang 1";
// The server answered 01 03 and OK.
const Payload kChallenge = from_hex("103401361c07791b591a390e6f614a2e394b581d");
const Payload kToken = from_hex("1f14ad16b0d95f9057582e47b3fa8d4cdc70b675a362d3b9d1b6a11f510c73c0");
// The client used the password "wrong" with this one.
const Payload kOtherChallenge = from_hex(
    "6d79585053345669"
    "3f2e605171312e1829200d0e");
const Payload kWrongToken =
    from_hex("5c405b313d48fee2cc0420bb3b921ec63048c193e31943191e3bfa2160f7c65c");

TEST(CachingSha2, MakesTheTokenThatARealClientMade) {
  EXPECT_EQ(caching_sha2_token(kPassword, kChallenge), kToken);
  EXPECT_EQ(caching_sha2_token("wrong", kOtherChallenge), kWrongToken);
}

TEST(CachingSha2, MatchesOnlyTheRightOne) {
  EXPECT_TRUE(caching_sha2_matches(kToken, kPassword, kChallenge));
  EXPECT_FALSE(caching_sha2_matches(kWrongToken, kPassword, kOtherChallenge));
  EXPECT_FALSE(caching_sha2_matches(kToken, "Geheim und lang 2", kChallenge));
  EXPECT_FALSE(caching_sha2_matches(kToken, "", kChallenge));
  EXPECT_FALSE(caching_sha2_matches(kToken, kPassword, kOtherChallenge));
  EXPECT_FALSE(caching_sha2_matches({}, kPassword, kChallenge));
  EXPECT_FALSE(caching_sha2_matches(Payload(1), kPassword, kChallenge));
  EXPECT_FALSE(caching_sha2_matches(ConstBytes(kToken).first(31), kPassword, kChallenge));
  Payload longer = kToken;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(caching_sha2_matches(longer, kPassword, kChallenge));
  for (std::size_t i = 0; i < kToken.size(); ++i) {
    Payload changed = kToken;
    changed[i] ^= std::byte{1};
    EXPECT_FALSE(caching_sha2_matches(changed, kPassword, kChallenge)) << i;
  }
}

// As a client of MySQL 9.7 sends it.
TEST(CachingSha2, TheEmptyPasswordHasATokenOfOneZero) {
  EXPECT_EQ(caching_sha2_token("", kChallenge), from_hex("00"));
  EXPECT_TRUE(caching_sha2_matches(from_hex("00"), "", kChallenge));
  EXPECT_TRUE(caching_sha2_matches({}, "", kChallenge));
  EXPECT_FALSE(caching_sha2_matches(from_hex("01"), "", kChallenge));
  EXPECT_FALSE(caching_sha2_matches(from_hex("0000"), "", kChallenge));
}

TEST(CachingSha2, SuccessIsWhatTheServerSent) {
  EXPECT_EQ(Payload(kFastAuthDone.begin(), kFastAuthDone.end()), from_hex("0103"));
}

}  // namespace
}  // namespace binlane::mysql
