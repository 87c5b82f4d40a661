// Uuid: 16 random bytes (RFC 4122 version 4) that name a stream's origin or a journal.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace binlane {

struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  auto operator<=>(const Uuid&) const = default;
  bool is_null() const noexcept { return *this == Uuid{}; }

  // From the kernel's generator; throws std::system_error when that fails. For set-up only.
  static Uuid random();
};

// Lower-case 8-4-4-4-12 text.
std::string to_string(const Uuid& uuid);
// Exactly that text; nothing for any other.
std::optional<Uuid> parse_uuid(std::string_view text);

// A random, non-zero 64-bit number for session ids; throws as Uuid::random does. For ordinary
// threads.
std::uint64_t random_u64();

}  // namespace binlane
