#include "base/position.h"

#include <fmt/format.h>

#include <charconv>

namespace binlane {

std::string to_string(const Position& position) {
  return fmt::format("{}:{}", position.file, position.offset);
}

std::string binlog_file_name(const std::string& basename, std::uint32_t number) {
  return fmt::format("{}.{:06}", basename, number);
}

std::uint32_t binlog_file_number(const std::string& name) noexcept {
  const auto dot = name.rfind('.');
  if (dot == std::string::npos || dot + 1 == name.size()) return 0;
  std::uint32_t number = 0;
  const char* const end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + dot + 1, end, number);
  return error == std::errc{} && stop == end ? number : 0;
}

}  // namespace binlane
