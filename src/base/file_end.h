// FileEnd: the end of one binlog file, as the source saw it. In a stream it takes one unit of its
// own.
#pragma once

#include <cstdint>

namespace binlane {

struct FileEnd {
  std::uint32_t file = 0;
  std::uint64_t final_size = 0;
  std::uint64_t last_group_end =
      0;  // offset after the last whole event group (== final_size unless torn)
  std::uint8_t flags_byte = 0;  // the byte at kInUseOffset once the file is ended (bit 0: IN_USE)
};

}  // namespace binlane
