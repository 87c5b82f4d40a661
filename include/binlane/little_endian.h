// Explicit little-endian integers for wire, disk and shared-memory structs.
//
// Le<T> has alignment 1 and the size of T, so packed layouts need no attribute; the conversion is
// free on little-endian machines.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>

namespace binlane {

static_assert(std::endian::native == std::endian::little, "only little-endian hosts are supported");

template <std::unsigned_integral T>
class Le {
 public:
  constexpr Le() = default;
  Le(T value) noexcept {  // NOLINT: meant to be implicit
    std::memcpy(bytes_, &value, sizeof value);
  }
  operator T() const noexcept {  // NOLINT: meant to be implicit
    T value;
    std::memcpy(&value, bytes_, sizeof value);
    return value;
  }

 private:
  unsigned char bytes_[sizeof(T)] = {};
};

using le16 = Le<std::uint16_t>;
using le32 = Le<std::uint32_t>;
using le64 = Le<std::uint64_t>;
static_assert(sizeof(le64) == 8 && alignof(le64) == 1);

}  // namespace binlane
