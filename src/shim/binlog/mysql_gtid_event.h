// The events by which MySQL says which transaction a group is, and which ones the files before this
// one contain: Gtid, Gtid_tagged, Anonymous_gtid and Previous_gtids.
//
// Pure functions over bytes that may come from outside: every length is checked against what is
// there. The ones without MysqlGtidSet do not allocate.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "shim/binlog/binlog_event.h"
#include "shim/binlog/mysql_gtid.h"
#include "shim/binlog/mysql_gtid_set.h"

namespace binlane {

struct MysqlGtidEvent {
  // Statements may be replicated as text: such a group may need what row events do not, for example
  // the session's temporary tables.
  static constexpr std::uint8_t kFlagMayHaveStatements = 0x01;

  std::optional<MysqlGtid> gtid;  // nothing: an anonymous group
  std::uint8_t flags = 0;
  // Bytes of the whole group in the binlog, this event included; 0 if the event does not say it, or
  // if the part that was given ends before it.
  std::uint64_t group_length = 0;

  bool may_have_statements() const noexcept { return (flags & kFlagMayHaveStatements) != 0; }
};

// An event that begins one of MySQL's groups.
constexpr bool is_mysql_gtid(EventType type) noexcept {
  return type == EventType::gtid_log || type == EventType::gtid_tagged_log ||
         type == EventType::anonymous_gtid_log;
}

// So much of the body's beginning holds the GTID and the flags. A Gtid_tagged event is the longest:
// its sizes, then the flags, the UUID, the number and the tag after their numbers. Every byte of
// the UUID takes up to two.
inline constexpr std::uint32_t kMysqlGtidFront =
    (1 + 9 + 1) + (1 + 2) + (1 + 2 * 16) + (1 + 9) + (1 + 1 + MysqlTag::kCapacity);

// From the body of such an event, or from its first kMysqlGtidFront bytes; `body` must not contain
// the checksum.
std::optional<MysqlGtidEvent> parse_mysql_gtid_body(EventType type, ConstBytes body) noexcept;
// From the event, or from so much of its beginning as contains those.
std::optional<MysqlGtidEvent> parse_mysql_gtid_event(ConstBytes event, bool checksums) noexcept;

// Needs the whole event; `checksums` as its file's format description says.
std::optional<MysqlGtidSet> parse_previous_gtids(ConstBytes event, bool checksums);

}  // namespace binlane
