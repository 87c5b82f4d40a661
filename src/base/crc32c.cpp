#include "base/crc32c.h"

#include <array>

#if defined(__SSE4_2__)
#include <nmmintrin.h>
#endif

namespace binlane {
namespace {

#if defined(__SSE4_2__)

std::uint32_t update(std::uint32_t state, const std::byte* data, std::size_t length) noexcept {
  std::uint64_t wide = state;
  for (; length >= sizeof wide; length -= sizeof wide, data += sizeof wide) {
    wide = _mm_crc32_u64(wide, load_le<std::uint64_t>(data));
  }
  state = static_cast<std::uint32_t>(wide);
  for (; length > 0; --length, ++data) {
    state = _mm_crc32_u8(state, static_cast<std::uint8_t>(*data));
  }
  return state;
}

#else

constexpr std::uint32_t kReflectedPolynomial = 0x82f63b78;

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) {
      value = (value & 1) != 0 ? (value >> 1) ^ kReflectedPolynomial : value >> 1;
    }
    table[i] = value;
  }
  return table;
}

constexpr auto kTable = make_table();

std::uint32_t update(std::uint32_t state, const std::byte* data, std::size_t length) noexcept {
  for (; length > 0; --length, ++data) {
    state = (state >> 8) ^ kTable[(state ^ static_cast<std::uint32_t>(*data)) & 0xff];
  }
  return state;
}

#endif

}  // namespace

std::uint32_t crc32c(std::uint32_t crc, ConstBytes bytes) noexcept {
  return ~update(~crc, bytes.data(), bytes.size());
}

}  // namespace binlane
