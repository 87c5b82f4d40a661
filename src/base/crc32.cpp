#include "base/crc32.h"

#include <isa-l/crc.h>

namespace binlane {

std::uint32_t crc32(std::uint32_t crc, ConstBytes bytes) noexcept {
  return crc32_gzip_refl(crc, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
}

}  // namespace binlane
