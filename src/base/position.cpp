#include "base/position.h"

#include <fmt/format.h>

namespace binlane {

std::string to_string(const Position& position) {
  return fmt::format("{}:{}", position.file, position.offset);
}

std::string binlog_file_name(const std::string& basename, std::uint32_t number) {
  return fmt::format("{}.{:06}", basename, number);
}

}  // namespace binlane
