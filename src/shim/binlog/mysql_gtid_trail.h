// MysqlGtidTrail: which GTIDs a MySQL server's binlog files contain up to here, and whether the
// next file lists exactly these. [S16, S24]
//
// A file's Previous_gtids event lists what all files before it contain, and nothing that was not
// logged. So the list of the next file is what this file's list and its whole groups add up to. No
// exception is known (tried on MySQL 9.7): what is added to gtid_purged is in no list, and a GTID
// that was set by hand is logged even with sql_log_bin=0.
//
// What cannot be compared is unknown, never wrong: no list, a list or an event that is not
// understood, more than MysqlGtidState holds, or groups without a GTID, whose loss no list shows.
// No allocation; a plain value of one thread. GroupTracker shows it the files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "shim/binlog/binlog_event.h"
#include "shim/binlog/gtid_continuity.h"
#include "shim/binlog/mysql_gtid_event.h"
#include "shim/binlog/mysql_gtid_state.h"
#include "shim/binlog/previous_gtids_reader.h"

namespace binlane {

class MysqlGtidTrail {
 public:
  // `follows`: it is the file after the one that was followed.
  void start_file(bool follows) noexcept;

  // The Previous_gtids event at the file's beginning: its body comes in pieces, as
  // PreviousGtidsReader says.
  PreviousGtidsReader& list() noexcept { return list_; }
  Continuity end_list() noexcept;

  // A group begins: its GTID event, of which `front` is the body or its first kMysqlGtidFront
  // bytes.
  void begin_group(EventType type, ConstBytes front) noexcept;
  void begin_group_without_event() noexcept { open_ = std::nullopt; }
  // The group is whole.
  void end_group() noexcept;

  // The first difference, for people, in the words of continuity_text(). Empty if there is none.
  std::string difference() const;
  // The state after the last whole group is known.
  bool known() const noexcept { return known_; }
  const MysqlGtidState& state() const noexcept { return state_; }

 private:
  bool known_ = false;     // state_ is all that the files up to here contain
  bool nameless_ = false;  // the file has groups without a GTID, or with one that is not understood
  std::optional<MysqlGtid> open_;  // of the open group
  MysqlGtidState state_;
  MysqlGtidState previous_;  // with which the previous file ended
  PreviousGtidsReader list_;
};

}  // namespace binlane
