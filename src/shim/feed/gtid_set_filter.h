// GtidSetFilter: which event groups a replica of MySQL gets that follows by its GTID set, and why
// it gets none.
//
// Pure logic, as MySQL's own dump thread has it: every group whose GTID is not in the replica's set
// is sent, in the order of the binlog. There is one difference, which GtidFilter has as well. A
// real source refuses at once a replica that holds more of the source's own GTIDs than the source.
// This archive may for a moment lack what the replica already got from it, so what is merely
// *ahead* is waited for: ahead_of() tells, and the caller bounds the wait.
#pragma once

#include <optional>

#include "base/uuid.h"
#include "shim/binlog/mysql_gtid_set.h"
#include "shim/feed/mysql_packet.h"

namespace binlane {

// In a source's words: the replica lacks some of `purged`, which the archive does not have any
// more.
mysql::ErrorPacket purged_error(const MysqlGtidSet& held, const MysqlGtidSet& purged);
// The replica holds GTIDs of the source that the source has not.
mysql::ErrorPacket more_gtids_error();

class GtidSetFilter {
 public:
  explicit GtidSetFilter(MysqlGtidSet held) : held_(std::move(held)) {}

  // First: all that the archive holds, and the server that writes it. Nothing: that is not known,
  // so nobody can be ahead.
  void begin(const MysqlGtidSet& archive, const std::optional<Uuid>& writer);
  // Then every group of the stream; whether it is sent.
  bool on_group(const MysqlGtid& gtid);

  const MysqlGtidSet& held() const noexcept { return held_; }
  // What the replica holds of the writer's GTIDs and the archive does not (yet).
  const MysqlGtidSet& ahead_of() const noexcept { return ahead_; }

 private:
  const MysqlGtidSet held_;
  MysqlGtidSet ahead_;
};

}  // namespace binlane
