// MysqlGtidText: reads the parts of MySQL's texts of GTIDs and GTID sets, from front to back.
//
// Whitespace may precede and follow every part, as in MySQL. A take_…() that finds something else
// takes nothing but whitespace. Pure, no allocation.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "shim/binlog/mysql_gtid.h"

namespace binlane {

class MysqlGtidText {
 public:
  explicit MysqlGtidText(std::string_view text) noexcept : rest_(text) { skip_whitespace(); }

  bool at_end() const noexcept { return rest_.empty(); }
  bool take(char wanted) noexcept;
  // With hyphens or without, in braces or not.
  std::optional<Uuid> take_uuid() noexcept;
  std::optional<MysqlTag> take_tag() noexcept;
  // A decimal number up to kMaxMysqlGno.
  std::optional<std::uint64_t> take_number() noexcept;

 private:
  void skip(std::size_t count) noexcept;
  void skip_whitespace() noexcept;

  std::string_view rest_;
};

}  // namespace binlane
