// Builds the byte stream of a dump connection for tests: events, packets, prefixes.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "shim/binlog/binlog_event.h"

namespace binlane::test {

using Bytes = std::vector<std::byte>;

inline Bytes bytes_of(std::string_view text) {
  Bytes out;
  for (const char c : text) out.push_back(static_cast<std::byte>(c));
  return out;
}

inline Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

template <std::unsigned_integral T>
Bytes number(T value) {
  Bytes out(sizeof value);
  store_le(out.data(), value);
  return out;
}

struct EventSpec {
  EventType type = EventType::query;
  std::uint32_t end_low = 0;
  std::uint16_t flags = 0;
  Bytes body = {};
};

inline Bytes event_bytes(const EventSpec& spec) {
  const auto length = static_cast<std::uint32_t>(kEventHeaderSize + spec.body.size());
  Bytes out = number<std::uint32_t>(1700000000);
  out.push_back(static_cast<std::byte>(spec.type));
  return out + number<std::uint32_t>(1) + number(length) + number(spec.end_low) +
         number(spec.flags) + spec.body;
}

// A payload cut into packets as the servers do, `full` bytes at most in each.
inline Bytes packets(const Bytes& payload, std::size_t full = 0xff'ffff) {
  Bytes out;
  std::size_t at = 0;
  std::uint8_t sequence = 1;
  for (;;) {
    const std::size_t size = std::min(full, payload.size() - at);
    out.push_back(static_cast<std::byte>(size & 0xff));
    out.push_back(static_cast<std::byte>(size >> 8 & 0xff));
    out.push_back(static_cast<std::byte>(size >> 16 & 0xff));
    out.push_back(static_cast<std::byte>(sequence++));
    const auto from = payload.begin() + static_cast<std::ptrdiff_t>(at);
    out.insert(out.end(), from, from + static_cast<std::ptrdiff_t>(size));
    at += size;
    if (size < full) return out;
  }
}

// An event on a semi-sync connection.
inline Bytes wire(const EventSpec& spec, bool ack_wanted = false) {
  const Bytes prefix{std::byte{0}, std::byte{0xef}, ack_wanted ? std::byte{1} : std::byte{0}};
  return packets(prefix + event_bytes(spec));
}

inline EventSpec rotate(std::uint64_t offset, std::string_view name, std::uint32_t end_low = 0,
                        bool checksum = true) {
  Bytes body = number(offset) + bytes_of(name);
  if (checksum) body = body + bytes_of("1234");  // digits: must not be taken for the name's
  return {EventType::rotate, end_low, end_low == 0 ? kEventFlagArtificial : std::uint16_t{0}, body};
}

inline EventSpec format_description(std::uint32_t end_low, bool checksums) {
  Bytes body(90, std::byte{0});
  body.push_back(checksums ? std::byte{1} : std::byte{0});
  return {EventType::format_description, end_low, 0, body + bytes_of("crc!")};
}

}  // namespace binlane::test
