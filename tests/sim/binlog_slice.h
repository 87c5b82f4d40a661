// slice: a part of a binlog file's bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace binlane::sim {

inline ConstBytes slice(const std::vector<std::byte>& data, std::uint64_t from, std::uint64_t to) {
  return ConstBytes(data).subspan(from, to - from);
}

}  // namespace binlane::sim
