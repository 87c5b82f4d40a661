#include "shim/feed/native_password.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/assert.h"

namespace binlane::mysql {
namespace {

using Digest = std::array<std::byte, 20>;

Digest sha1(ConstBytes bytes) {
  Digest digest;
  unsigned length = 0;
  const int done =
      EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()),
                 &length, EVP_sha1(), nullptr);
  BL_ASSERT(done == 1 && length == digest.size());
  return digest;
}

}  // namespace

std::optional<std::array<std::byte, kChallengeSize>> random_challenge() {
  // 64 printable characters: six bits of each random byte are used, 120 in all.
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  static_assert(kAlphabet.size() == 64);
  std::array<unsigned char, kChallengeSize> random{};
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) return std::nullopt;
  std::array<std::byte, kChallengeSize> challenge;
  for (std::size_t i = 0; i < challenge.size(); ++i) {
    challenge[i] = static_cast<std::byte>(kAlphabet[random[i] % kAlphabet.size()]);
  }
  return challenge;
}

Payload native_password_token(std::string_view password, ConstBytes challenge) {
  if (password.empty()) return {};
  const Digest once = sha1(as_bytes(password));
  const Digest twice = sha1(once);
  Payload salted(challenge.begin(), challenge.end());
  salted.insert(salted.end(), twice.begin(), twice.end());
  const Digest mask = sha1(salted);
  Payload token(once.size());
  for (std::size_t i = 0; i < token.size(); ++i) token[i] = once[i] ^ mask[i];
  return token;
}

bool native_password_matches(ConstBytes token, std::string_view password, ConstBytes challenge) {
  const Payload expected = native_password_token(password, challenge);
  return token.size() == expected.size() &&
         CRYPTO_memcmp(token.data(), expected.data(), expected.size()) == 0;
}

}  // namespace binlane::mysql
