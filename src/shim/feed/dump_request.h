// DumpRequest: what a replica asked for, with its dump command and with the variables that it set
// before. A plain value.
#pragma once

#include <cstdint>
#include <optional>

#include "base/uuid.h"
#include "shim/binlog/gtid_set.h"
#include "shim/binlog/mysql_gtid_set.h"
#include "shim/feed/feed_dialogue.h"
#include "shim/feed/gtid_filter.h"
#include "shim/feed/mysql_packet.h"

namespace binlane {

struct DumpRequest {
  mysql::BinlogDump dump;
  const FeedDialogue* dialogue = &feed_dialogue(GtidGrammar::mariadb);
  // How it follows by GTID; neither: by file and position.
  std::optional<GtidRequest> gtid;   // a replica of MariaDB
  std::optional<MysqlGtidSet> held;  // a replica of MySQL: it gets nothing of these
  std::uint32_t capability = 0;      // @mariadb_slave_capability
  std::optional<Uuid> replica_uuid;  // of MySQL's replicas
  bool checksum_aware = false;       // it set @master_binlog_checksum at all …
  bool checksums = false;            // … and to CRC32
  bool skip_marked = false;          // leave out what is marked with @@skip_replication
  std::uint64_t heartbeat_ns = 0;    // 0: none
  std::uint32_t source_id = 0;       // the server id of artificial events
  bool sealed = false;               // this stream is complete, and another follows

  // A replica that follows by GTID needs nothing of these …
  bool holds(const GtidSet& groups) const;
  // … and got them now.
  void has_got(const GtidSet& groups);
};

}  // namespace binlane
