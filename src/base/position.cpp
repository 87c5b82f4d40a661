#include "base/position.h"

#include <fmt/format.h>

#include "base/binlog_number.h"

namespace binlane {

std::string to_string(const Position& position) {
  return fmt::format("{}:{}", position.file, position.offset);
}

std::string binlog_file_name(const std::string& basename, std::uint32_t number) {
  return fmt::format("{}.{:06}", basename, number);
}

std::uint32_t binlog_file_number(const std::string& name) noexcept {
  return binlog_number(name);
}

}  // namespace binlane
