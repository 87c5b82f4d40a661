// The first number of a binary GTID set, which says how the rest is encoded.
//
// Both encodings list TSIDs, each with its intervals: a UUID, then in the tagged encoding the tag
// after its length, then the number of intervals (8 bytes), then each one's begin and end (8 bytes
// each, the end exclusive).
#pragma once

#include <cstdint>
#include <optional>

namespace binlane {

// Servers before 8.3 know the plain one only, in which no tag has a place.
enum class MysqlGtidEncoding : std::uint8_t { plain, tagged };

inline constexpr std::size_t kMysqlUuidSize = 16;
inline constexpr std::size_t kGnoIntervalSize = 8 + 8;

struct MysqlGtidSetHead {
  MysqlGtidEncoding encoding = MysqlGtidEncoding::plain;
  std::uint64_t tsid_count = 0;
};

// The number of TSIDs is in the lower bytes; or, in the tagged encoding, between two bytes that
// contain a 1.
constexpr std::optional<MysqlGtidSetHead> decode_gtid_set_head(std::uint64_t number) noexcept {
  constexpr std::uint64_t kTagged = 1;
  const std::uint64_t encoding = number >> 56;
  if (encoding == 0) return MysqlGtidSetHead{MysqlGtidEncoding::plain, number};
  if (encoding != kTagged || (number & 0xff) != kTagged) return std::nullopt;
  return MysqlGtidSetHead{MysqlGtidEncoding::tagged, number << 8 >> 16};
}

constexpr std::uint64_t encode_gtid_set_head(const MysqlGtidSetHead& head) noexcept {
  if (head.encoding == MysqlGtidEncoding::plain) return head.tsid_count;
  return std::uint64_t{1} << 56 | head.tsid_count << 8 | 1;
}

static_assert(
    decode_gtid_set_head(encode_gtid_set_head({MysqlGtidEncoding::tagged, 7}))->tsid_count == 7);

}  // namespace binlane
