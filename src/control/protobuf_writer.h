// ProtobufWriter: a message in Protocol Buffers' wire format, field by field. Just what Prometheus'
// exposition format needs; whoever writes knows the field numbers.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace binlane {

class ProtobufWriter {
 public:
  void number(std::uint32_t field, std::uint64_t value) {
    tag(field, kVarint);
    varint(value);
  }
  void real(std::uint32_t field, double value) {
    tag(field, kFixed64);
    const auto bits = std::bit_cast<std::uint64_t>(value);
    for (unsigned i = 0; i < sizeof bits; ++i)
      bytes_ += static_cast<char>(static_cast<unsigned char>(bits >> (8 * i)));
  }
  // A text, a message, or numbers that are packed.
  void bytes(std::uint32_t field, std::string_view value) {
    tag(field, kLength);
    delimited(value);
  }
  // With its length in front, without a tag.
  void delimited(std::string_view value) {
    varint(value.size());
    bytes_ += value;
  }
  void varint(std::uint64_t value) {
    for (; value >= kMore; value >>= kGroupBits)
      bytes_ += static_cast<char>(static_cast<unsigned char>(value | kMore));
    bytes_ += static_cast<char>(value);
  }
  // For sint32 and sint64: small magnitudes are short.
  static std::uint64_t zigzag(std::int64_t value) {
    return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
  }

  const std::string& text() const noexcept { return bytes_; }

 private:
  static constexpr unsigned kVarint = 0;
  static constexpr unsigned kFixed64 = 1;
  static constexpr unsigned kLength = 2;
  static constexpr unsigned kTypeBits = 3;
  static constexpr unsigned kGroupBits = 7;
  static constexpr std::uint64_t kMore = 0x80;

  void tag(std::uint32_t field, unsigned type) { varint(std::uint64_t{field} << kTypeBits | type); }

  std::string bytes_;
};

}  // namespace binlane
