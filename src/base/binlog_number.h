// The numeric suffix of a binlog file's name or path: 17 of "binlog.000017".
#pragma once

#include <charconv>
#include <cstdint>
#include <string_view>
#include <system_error>

namespace binlane {

// 0 if it has none, or one that does not fit 32 bits.
inline std::uint32_t binlog_number(std::string_view name) noexcept {
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos || dot + 1 == name.size()) return 0;
  std::uint32_t number = 0;
  const char* const end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + dot + 1, end, number);
  return error == std::errc{} && stop == end ? number : 0;
}

}  // namespace binlane
