#include "shim/server/acker_uuid.h"

#include <string_view>

namespace binlane {
namespace {

constexpr std::string_view kSalt = "binlane-acke";
constexpr std::size_t kVersionByte = 6;

}  // namespace

Uuid acker_uuid(const Uuid& server, std::uint32_t acker_server_id) noexcept {
  Uuid uuid = server;
  std::size_t at = 0;
  for (; at < kSalt.size(); ++at) uuid.bytes[at] ^= static_cast<std::uint8_t>(kSalt[at]);
  for (std::uint32_t rest = acker_server_id; at < uuid.bytes.size(); ++at, rest >>= 8)
    uuid.bytes[at] ^= static_cast<std::uint8_t>(rest);
  // Version 8, of one's own making (RFC 9562).
  uuid.bytes[kVersionByte] = static_cast<std::uint8_t>((uuid.bytes[kVersionByte] & 0x0f) | 0x80);
  return uuid;
}

}  // namespace binlane
