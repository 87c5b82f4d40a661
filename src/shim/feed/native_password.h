// mysql_native_password: how a client proves that it knows the password without sending it.
//
// The token is SHA1(password) XOR SHA1(challenge + SHA1(SHA1(password))); the empty password has an
// empty token. The protocol prescribes SHA-1; the feed is meant for loopback.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "shim/feed/mysql_packet.h"

namespace binlane::mysql {

// Random, and free of zero bytes, because clients treat it as a C string. Nothing if the system
// returns no randomness: then nobody can log in.
std::optional<std::array<std::byte, kChallengeSize>> random_challenge();

Payload native_password_token(std::string_view password, ConstBytes challenge);

// In constant time for tokens of the right length.
bool native_password_matches(ConstBytes token, std::string_view password, ConstBytes challenge);

}  // namespace binlane::mysql
