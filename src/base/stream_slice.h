// StreamSlice: one stretch of the stream, which is bytes of one file or the end of a file.
//
// A slice says where its bytes are, and does not hold them. The end of a file takes one unit of the
// stream (base/file_end.h), so a slice's length in units is also how far it moves a mark.
#pragma once

#include <cstdint>

#include "base/file_end.h"
#include "base/position.h"

namespace binlane {

struct StreamSlice {
  Position at;
  std::uint32_t length = 0;  // units: bytes, or 1 for a file's end
  bool file_end = false;
  FileEnd end;  // valid if file_end

  std::uint32_t byte_count() const noexcept { return file_end ? 0 : length; }
};

}  // namespace binlane
