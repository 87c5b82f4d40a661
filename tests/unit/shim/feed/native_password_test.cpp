// mysql_native_password, against an exchange recorded from a MariaDB 10.11 replica.

#include "shim/feed/native_password.h"

#include <gtest/gtest.h>

#include <string>

namespace binlane::mysql::native_password_test {

constexpr std::string_view kChallenge = "m3T13Nod(9$FvA}sJY]I";
const std::string kToken =
    "\xcf\x88\x16\xa3\x10"
    "F\xcb%\x0cO\xa4\x06z\x04\xe1!o\xfd\t\x8d";

TEST(NativePassword, MakesTheTokenThatARealReplicaMade) {
  EXPECT_EQ(to_text(native_password_token("pw", as_bytes(kChallenge))), kToken);
}

TEST(NativePassword, MatchesOnlyTheRightOne) {
  const ConstBytes challenge = as_bytes(kChallenge);
  EXPECT_TRUE(native_password_matches(as_bytes(kToken), "pw", challenge));
  EXPECT_FALSE(native_password_matches(as_bytes(kToken), "pW", challenge));
  EXPECT_FALSE(native_password_matches(as_bytes(kToken), "", challenge));
  EXPECT_FALSE(native_password_matches({}, "pw", challenge));
  EXPECT_FALSE(native_password_matches(as_bytes(kToken).first(19), "pw", challenge));
  EXPECT_FALSE(native_password_matches(as_bytes(kToken + "x"), "pw", challenge));
  std::string other(kChallenge);
  other[19] ^= 1;
  EXPECT_FALSE(native_password_matches(as_bytes(kToken), "pw", as_bytes(other)));
}

TEST(NativePassword, TheEmptyPasswordHasTheEmptyToken) {
  EXPECT_TRUE(native_password_matches({}, "", as_bytes(kChallenge)));
  EXPECT_FALSE(native_password_matches(as_bytes(kToken), "", as_bytes(kChallenge)));
}

TEST(NativePassword, ChallengesAreRandomAndPrintable) {
  const auto first = random_challenge();
  const auto second = random_challenge();
  ASSERT_TRUE(first && second);
  EXPECT_NE(*first, *second);
  for (const std::byte byte : *first) {
    EXPECT_GT(byte, std::byte{' '});
    EXPECT_LT(byte, std::byte{127});
  }
}

}  // namespace binlane::mysql::native_password_test
