#include "base/crc32c.h"

#include <isa-l/crc.h>

#include <climits>

#include "base/assert.h"

#if defined(__SSE4_2__)
#include <nmmintrin.h>
#endif

namespace binlane {
namespace {

#if defined(__SSE4_2__)

// The library's three chains in parallel and its folding need a run-up: measured, 17 ns against our
// 26 for 256 bytes, 80 against 520 for a block of 4096, but 14 against 7 for an ACK's 64.
constexpr std::size_t kLibraryFrom = 256;

std::uint32_t update_short(std::uint32_t state, const std::byte* data,
                           std::size_t length) noexcept {
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

#endif

std::uint32_t update_long(std::uint32_t state, const std::byte* data, std::size_t length) noexcept {
  BL_ASSERT(length <= INT_MAX);
  // It only reads, though its type does not say so.
  auto* const bytes = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(data));
  return crc32_iscsi(bytes, static_cast<int>(length), state);
}

}  // namespace

std::uint32_t crc32c(std::uint32_t crc, ConstBytes bytes) noexcept {
#if defined(__SSE4_2__)
  if (bytes.size() < kLibraryFrom) return ~update_short(~crc, bytes.data(), bytes.size());
#endif
  return ~update_long(~crc, bytes.data(), bytes.size());
}

}  // namespace binlane
