// MysqlGtid: the name of one MySQL transaction, "uuid:5" or, with a tag, "uuid:tag:5".
//
// Plain values without allocation, so that a lane can hold them. MySQL calls the part before the
// number a TSID (a transaction source id).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/uuid.h"

namespace binlane {

// The greatest number that MySQL gives. Intervals end one after it at most.
inline constexpr std::uint64_t kMaxMysqlGno = 0x7fff'ffff'ffff'fffe;

// Up to kCapacity lower-case letters, digits and underscores, the first one no digit. Empty: the
// GTID has no tag.
class MysqlTag {
 public:
  static constexpr std::size_t kCapacity = 32;

  constexpr MysqlTag() noexcept = default;
  // Upper-case letters become lower-case ones, as in MySQL. Nothing if it is no tag.
  static std::optional<MysqlTag> parse(std::string_view text) noexcept;
  // The same for bytes of an event, where the empty tag is none.
  static std::optional<MysqlTag> parse(ConstBytes bytes) noexcept {
    if (bytes.empty()) return MysqlTag{};
    return parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }

  bool empty() const noexcept { return length_ == 0; }
  std::string_view text() const noexcept { return {text_.data(), length_}; }
  // The order in which MySQL lists tags: by their text, the empty one first.
  std::strong_ordering operator<=>(const MysqlTag& other) const noexcept {
    return text() <=> other.text();
  }
  bool operator==(const MysqlTag& other) const noexcept { return text() == other.text(); }

 private:
  std::uint8_t length_ = 0;
  std::array<char, kCapacity> text_{};
};

struct MysqlTsid {
  Uuid uuid;
  MysqlTag tag;

  auto operator<=>(const MysqlTsid&) const = default;
};

struct MysqlGtid {
  MysqlTsid tsid;
  std::uint64_t gno = 0;  // 1 to kMaxMysqlGno

  auto operator<=>(const MysqlGtid&) const = default;
};

constexpr bool is_mysql_gno(std::uint64_t gno) noexcept {
  return gno > 0 && gno <= kMaxMysqlGno;
}

// From `begin` to before `end`.
struct GnoInterval {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;

  bool operator==(const GnoInterval&) const = default;
};

// "uuid" or "uuid:tag".
std::string to_string(const MysqlTsid& tsid);
// "uuid:5" or "uuid:tag:5".
std::string to_string(const MysqlGtid& gtid);
// One GTID, with whitespace where MySQL allows it. Nothing for any other text, and for sets of more
// than one GTID.
std::optional<MysqlGtid> parse_mysql_gtid(std::string_view text);

}  // namespace binlane
