// CRC-32 (IEEE 802.3), the checksum at the end of a binlog event.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace binlane {

// Of some bytes followed by their own CRC-32, low byte first: always the same.
inline constexpr std::uint32_t kCrc32OfWholeEvent = 0x2144'df1c;

// Continues `crc` (0 to begin) over `bytes`: crc32(crc32(0, a), b) == crc32(0, a+b). By ISA-L.
// Lock-free, allocation-free. Known value: crc32(0, "123456789") == 0xCBF43926.
std::uint32_t crc32(std::uint32_t crc, ConstBytes bytes) noexcept;

}  // namespace binlane
