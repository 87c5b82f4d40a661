// GtidSet: a set of transactions, whichever server they are of: what a server has executed, what a
// binlog holds, what a replica asks for.
//
// It hides that MariaDB's sets are positions (GtidPosition: the last GTID of each domain, and all
// before it) and MySQL's are sets of numbers (MysqlGtidSet). A set belongs to one grammar, and has
// nothing in common with a set or a GTID of the other one. Bounded, as both are, because texts come
// from outside. A plain value of one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "shim/binlog/gtid.h"
#include "shim/binlog/gtid_position.h"
#include "shim/binlog/mysql_gtid_set.h"

namespace binlane {

// Which events and texts name transactions.
enum class GtidGrammar : std::uint8_t { mariadb, mysql };

// Of the server with this version, as the binlog's format description has it: archives outlive
// servers, and so tell by themselves.
GtidGrammar grammar_of(std::string_view server_version) noexcept;

class GtidSet {
 public:
  // Empty.
  explicit GtidSet(GtidGrammar grammar);
  explicit GtidSet(GtidPosition position) : set_(std::move(position)) {}
  explicit GtidSet(MysqlGtidSet set) : set_(std::move(set)) {}
  // Text as the server has it. Nothing if it is malformed or too long.
  static std::optional<GtidSet> parse(GtidGrammar grammar, std::string_view text);

  GtidGrammar grammar() const noexcept;
  bool empty() const noexcept;
  // As the server takes it, in one line.
  std::string text() const;

  // On MariaDB every transaction of a domain up to the last one counts as contained.
  bool contains(const Gtid& gtid) const noexcept;
  // A server that has executed this set has executed everything in `wanted`. False for a set of the
  // other grammar, even an empty one: nobody has compared them.
  bool covers(const GtidSet& wanted) const noexcept;
  // On MariaDB the GTID becomes the last one of its domain. False, and nothing changes, if the GTID
  // is anonymous or of the other grammar, or if there is no room.
  bool add(const Gtid& gtid);

  // For code that is about one server alone; null if it is the other's.
  const GtidPosition* mariadb() const noexcept { return std::get_if<GtidPosition>(&set_); }
  const MysqlGtidSet* mysql() const noexcept { return std::get_if<MysqlGtidSet>(&set_); }

 private:
  std::variant<GtidPosition, MysqlGtidSet> set_;
};

}  // namespace binlane
