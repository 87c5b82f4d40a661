// caching_sha2_password: how a client of MySQL 8.0 and later proves that it knows the password
// without sending it. The server's side of the fast path.
//
// The token is SHA256(password) XOR SHA256(SHA256(SHA256(password)) + challenge). A server that
// stores only a slower hash asks for the password itself the first time, over TLS or RSA. The feed
// knows its one password, so it can always check the token, and needs neither.
//
// The exchange: the client's token, then kFastAuthDone, then OK. Pure.
#pragma once

#include <array>
#include <string_view>

#include "base/bytes.h"
#include "shim/feed/mysql_fields.h"

namespace binlane::mysql {

inline constexpr std::string_view kCachingSha2Password = "caching_sha2_password";

// The payload that tells the client that its token was right; an OK packet follows it.
inline constexpr std::array<std::byte, 2> kFastAuthDone{std::byte{0x01}, std::byte{0x03}};

// What a client sends. The empty password has a token of one zero byte.
Payload caching_sha2_token(std::string_view password, ConstBytes challenge);

// In constant time for tokens of the right length. For the empty password, the empty token is right
// too.
bool caching_sha2_matches(ConstBytes token, std::string_view password, ConstBytes challenge);

}  // namespace binlane::mysql
