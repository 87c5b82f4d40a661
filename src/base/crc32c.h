// CRC32C (Castagnoli), the integrity check of frames and journal blocks.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace binlane {

// Continues `crc` (0 to begin) over `bytes`: crc32c(crc32c(0, a), b) == crc32c(0, a+b). Uses the
// processor's instruction for what is short on x86-64 (SSE4.2, part of the build's x86-64-v2
// floor), and ISA-L otherwise. Lock-free, allocation-free. Known value: crc32c(0, "123456789") ==
// 0xE3069283.
std::uint32_t crc32c(std::uint32_t crc, ConstBytes bytes) noexcept;

}  // namespace binlane
