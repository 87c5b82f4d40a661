#include "shim/feed/caching_sha2.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/assert.h"

namespace binlane::mysql {
namespace {

using Digest = std::array<std::byte, 32>;

Digest sha256(ConstBytes bytes) {
  Digest digest;
  unsigned length = 0;
  const int done =
      EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()),
                 &length, EVP_sha256(), nullptr);
  BL_ASSERT(done == 1 && length == digest.size());
  return digest;
}

}  // namespace

Payload caching_sha2_token(std::string_view password, ConstBytes challenge) {
  if (password.empty()) return Payload(1);
  const Digest once = sha256(as_bytes(password));
  const Digest twice = sha256(once);
  Payload salted(twice.begin(), twice.end());
  salted.insert(salted.end(), challenge.begin(), challenge.end());
  const Digest mask = sha256(salted);
  Payload token(once.size());
  for (std::size_t i = 0; i < token.size(); ++i) token[i] = once[i] ^ mask[i];
  return token;
}

bool caching_sha2_matches(ConstBytes token, std::string_view password, ConstBytes challenge) {
  if (password.empty() && token.empty()) return true;
  const Payload expected = caching_sha2_token(password, challenge);
  return token.size() == expected.size() &&
         CRYPTO_memcmp(token.data(), expected.data(), expected.size()) == 0;
}

}  // namespace binlane::mysql
