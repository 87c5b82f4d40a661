#include "base/uuid.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <cerrno>
#include <charconv>
#include <system_error>

namespace binlane {
namespace {

void fill_random(void* data, std::size_t length) {
  // Requests of up to 256 bytes are never cut short by the kernel.
  if (::getrandom(data, length, 0) != static_cast<ssize_t>(length)) {
    throw std::system_error(errno, std::generic_category(), "getrandom");
  }
}

}  // namespace

Uuid Uuid::random() {
  Uuid uuid;
  fill_random(uuid.bytes.data(), uuid.bytes.size());
  uuid.bytes[6] = static_cast<std::uint8_t>((uuid.bytes[6] & 0x0f) | 0x40);
  uuid.bytes[8] = static_cast<std::uint8_t>((uuid.bytes[8] & 0x3f) | 0x80);
  return uuid;
}

std::string to_string(const Uuid& uuid) {
  std::string text;
  for (std::size_t i = 0; i < uuid.bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", uuid.bytes[i]);
  }
  return text;
}

std::optional<Uuid> parse_uuid(std::string_view text) {
  Uuid uuid;
  std::string digits;
  for (const char c : text) {
    if (c != '-') digits += c;
  }
  if (digits.size() != 2 * uuid.bytes.size()) return std::nullopt;
  for (std::size_t i = 0; i < uuid.bytes.size(); ++i) {
    const char* const at = digits.data() + 2 * i;
    const auto [end, code] = std::from_chars(at, at + 2, uuid.bytes[i], 16);
    if (code != std::errc{} || end != at + 2) return std::nullopt;
  }
  // Dashes elsewhere, and upper case.
  if (to_string(uuid) != text) return std::nullopt;
  return uuid;
}

std::uint64_t random_u64() {
  std::uint64_t value = 0;
  while (value == 0) fill_random(&value, sizeof value);
  return value;
}

}  // namespace binlane
