// Position: a place in a source's binlog, {file number, byte offset}, compared as numbers.
//
// The number is the numeric suffix of the file's name: binlog.1000000 sorts after binlog.999999,
// which a comparison of the names as strings gets wrong. {0, 0} is "nowhere": MySQL and MariaDB
// number from 1.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "base/binlog_number.h"
#include "base/mutant.h"

namespace binlane {

struct Position {
  std::uint32_t file = 0;
  std::uint64_t offset = 0;

  constexpr bool operator==(const Position&) const = default;
  constexpr std::strong_ordering operator<=>(const Position& other) const noexcept {
    constexpr std::uint32_t kSevenDigits = 1'000'000;
    if (file != other.file)
      return BL_MUTANT(names_compared_as_strings,
                       (file < kSevenDigits) != (other.file < kSevenDigits) ? other.file <=> file
                                                                            : file <=> other.file,
                       file <=> other.file);
    return offset <=> other.offset;
  }
  constexpr bool is_null() const noexcept { return file == 0; }
  // The file of the byte before this position: a position before any byte of a file is the end of
  // the previous file.
  constexpr std::uint32_t last_file() const noexcept { return offset > 0 ? file : file - 1; }
};

// "17:4096"; not for lanes (allocates).
std::string to_string(const Position& position);

// "<basename>.<number, at least six digits>", as both servers name their binlogs. Not for lanes.
std::string binlog_file_name(const std::string& basename, std::uint32_t number);

}  // namespace binlane
