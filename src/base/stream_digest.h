// How the bytes of a stream are digested when source and replica prove that their logs match.
//
// A stream is a sequence of binlog files. Its digest runs over the files' bytes in order; the end
// of each file adds one byte of its own, so that two logs with the same bytes but other file bounds
// differ. The one byte that the servers change in place (the IN_USE flag of the first event) is
// masked.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/crc32c.h"

namespace binlane {

// Offset of the format description event's flags byte in a binlog file: magic (4) + header (17).
inline constexpr std::uint64_t kInUseOffset = 21;
inline constexpr std::byte kInUseBit{0x01};

// Continues `crc` over `bytes`, which begin at `file_offset` in their file.
inline std::uint32_t digest_bytes(std::uint32_t crc, std::uint64_t file_offset,
                                  ConstBytes bytes) noexcept {
  if (file_offset > kInUseOffset || file_offset + bytes.size() <= kInUseOffset)
    return crc32c(crc, bytes);
  const auto at = static_cast<std::size_t>(kInUseOffset - file_offset);
  crc = crc32c(crc, bytes.first(at));
  const std::byte masked = bytes[at] & ~kInUseBit;
  crc = crc32c(crc, ConstBytes(&masked, 1));
  return crc32c(crc, bytes.subspan(at + 1));
}

// Continues `crc` over the end of a file.
inline std::uint32_t digest_file_end(std::uint32_t crc) noexcept {
  // Longer than the one unit that it represents, so that no byte of data can be taken for it.
  constexpr std::byte kFileEnd[] = {std::byte{0xfe}, std::byte{'E'}, std::byte{'N'},
                                    std::byte{'D'}};
  return crc32c(crc, ConstBytes(kFileEnd));
}

}  // namespace binlane
