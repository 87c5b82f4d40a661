// MysqlFieldReader: reads the fields of MySQL's events from front to back.
//
// A read past the end gives zeros or nothing, and failed() is true from then on: callers read all
// the fields that they want and ask once. Pure, no allocation: lanes read with it too.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/uuid.h"

namespace binlane {

class MysqlFieldReader {
 public:
  explicit MysqlFieldReader(ConstBytes bytes) noexcept : rest_(bytes) {}

  bool failed() const noexcept { return failed_; }
  ConstBytes rest() const noexcept { return rest_; }

  ConstBytes bytes(std::uint64_t count) noexcept {
    if (failed_ || count > rest_.size()) {
      failed_ = true;
      return {};
    }
    const ConstBytes taken = rest_.first(static_cast<std::size_t>(count));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }

  template <std::unsigned_integral T>
  T number() noexcept {
    const ConstBytes taken = bytes(sizeof(T));
    return taken.size() == sizeof(T) ? load_le<T>(taken.data()) : T{0};
  }

  // A number of fewer bytes than a C++ type has.
  std::uint64_t number_of(std::size_t byte_count) noexcept {
    std::uint64_t value = 0;
    std::uint32_t shift = 0;
    for (const std::byte byte : bytes(byte_count)) {
      value |= std::to_integer<std::uint64_t>(byte) << shift;
      shift += 8;
    }
    return value;
  }

  // A number of 1 to 9 bytes, as MySQL's serialization library writes it: the number of one bits
  // at the lower end of the first byte is the number of bytes that follow.
  std::uint64_t varint() noexcept {
    const auto first = number<std::uint8_t>();
    const int more = std::countr_one(first);
    const std::uint64_t rest = number_of(static_cast<std::size_t>(more));
    if (more == 8) return rest;
    return std::uint64_t{first} >> (more + 1) | rest << (7 - more);
  }

  // The same of a number that may be negative: those fail.
  std::uint64_t positive_varint() noexcept {
    const std::uint64_t value = varint();
    failed_ = failed_ || (value & 1) != 0;
    return value >> 1;
  }

  Uuid uuid() noexcept {
    Uuid uuid;
    const ConstBytes taken = bytes(uuid.bytes.size());
    for (std::size_t i = 0; i < taken.size(); ++i)
      uuid.bytes[i] = std::to_integer<std::uint8_t>(taken[i]);
    return uuid;
  }

  void fail() noexcept { failed_ = true; }

 private:
  ConstBytes rest_;
  bool failed_ = false;
};

}  // namespace binlane
