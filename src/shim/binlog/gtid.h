// Gtid: the name of one transaction, whichever server wrote it.
//
// MariaDB's "0-1-42", MySQL's "uuid:42" or "uuid:tag:42", or none: MySQL's anonymous groups. A
// plain value. Code that is about one server alone uses GtidEntry or MysqlGtid.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "shim/binlog/gtid_state.h"
#include "shim/binlog/mysql_gtid.h"

namespace binlane {

class Gtid {
 public:
  // None.
  Gtid() noexcept = default;
  // Not explicit: it is the same GTID.
  Gtid(const GtidEntry& gtid) noexcept : gtid_(gtid) {}
  Gtid(const MysqlGtid& gtid) noexcept : gtid_(gtid) {}

  bool is_anonymous() const noexcept { return std::holds_alternative<std::monostate>(gtid_); }
  // Null if it is another server's.
  const GtidEntry* mariadb() const noexcept { return std::get_if<GtidEntry>(&gtid_); }
  const MysqlGtid* mysql() const noexcept { return std::get_if<MysqlGtid>(&gtid_); }

  bool operator==(const Gtid&) const = default;

 private:
  std::variant<std::monostate, GtidEntry, MysqlGtid> gtid_;
};

// As the server writes it; "ANONYMOUS" if there is none, as MySQL says.
std::string to_string(const Gtid& gtid);
// Of either server: no text is a GTID of both. Nothing for any other text.
std::optional<Gtid> parse_any_gtid(std::string_view text);

}  // namespace binlane
