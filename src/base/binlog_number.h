// The numeric suffix of a binlog file's name or path: 17 of "binlog.000017".
#pragma once

#include <cstdint>
#include <string_view>

#include "base/number_text.h"

namespace binlane {

// 0 if it has none, or one that does not fit 32 bits. Any thread.
inline std::uint32_t binlog_file_number(std::string_view name) noexcept {
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos) return 0;
  return parse_number<std::uint32_t>(name.substr(dot + 1)).value_or(0);
}

}  // namespace binlane
