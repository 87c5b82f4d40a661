// EventGroup: decides event by event where event groups begin and end. [S25]
//
// An event group is what a replica applies as one. In MariaDB it is a GTID event and what follows
// up to XID, XA PREPARE or COMMIT/ROLLBACK, or up to its single event if it is flagged standalone.
// In MySQL it is a (possibly anonymous) GTID event with a transaction or a single statement. A
// group ends with its own last event. Incidents, format descriptions, rotations, heartbeats and
// lists are no part of any group, and follow one without belonging to it.
//
// All code that counts, skips, serves or finds groups asks this class. Pure, no allocation; a plain
// value of one thread.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "shim/binlog/binlog_event.h"

namespace binlane {

// What an event says about the group that contains it, apart from its type.
enum class StatementKind : std::uint8_t {
  other,
  begin,  // a transaction: BEGIN, XA START, or a GTID event that is not flagged standalone
  end,    // COMMIT or ROLLBACK
};

// GTID event: flag of a group that is one statement.
inline constexpr std::uint8_t kGtidFlagStandalone = 0x01;

// Layout of a query event's body.
inline constexpr std::uint32_t kQueryHeaderSize = 4 + 4 + 1 + 2 + 2;
inline constexpr std::uint32_t kQuerySchemaSizeOffset = 4 + 4;
inline constexpr std::uint32_t kQueryStatusSizeOffset = 4 + 4 + 1 + 2;
// The longest statement that is recognised by its text ("XA START", "ROLLBACK"), and one byte to
// recognise a longer one.
inline constexpr std::uint32_t kStatementPrefixSize = 9;
// `text` is a query's text, or its first kStatementPrefixSize bytes.
StatementKind statement_kind(ConstBytes text) noexcept;
// The same for a whole event, or for so much of its beginning as holds its fixed parts. A query
// whose fields lie outside is no statement that begins or ends anything.
StatementKind statement_kind(const EventHeader& header, ConstBytes front, bool checksums) noexcept;

// Whether an event of this type may be the last of its group, or is outside groups: positions in
// the binlog count from the end of such events.
bool may_end_group(EventType type) noexcept;

class EventGroup {
 public:
  // What one event did.
  struct Step {
    bool cut_off = false;  // a group was open, and this event shows that its end is missing
    bool ended = false;    // it is the last event of its group
    bool outside = false;  // it belongs to no group
  };

  Step take(EventType type, StatementKind statement) noexcept;
  bool is_open() const noexcept { return group_ != Group::none; }

 private:
  enum class Group : std::uint8_t {
    none,
    undecided,    // its first statement tells whether it is one statement or a transaction
    statement,    // ends with its single statement
    transaction,  // ends with XID, XA PREPARE, COMMIT or ROLLBACK
  };

  bool is_last(EventType type, StatementKind statement) noexcept;

  Group group_ = Group::none;
};

}  // namespace binlane
