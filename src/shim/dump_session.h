// DumpSession: one COM_BINLOG_DUMP from its beginning to its end.
//
// It finds where the replica has to begin, and then sends what the archive holds, file after file,
// as a real source does: an artificial Rotate with the file's name, the format description, the
// events, heartbeats when there is nothing to send. What it may send is up to ArchiveReader (I7),
// what a replica that follows by GTID needs of it up to GtidFilter. The connection's thread runs
// it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shim/archive_gtids.h"
#include "shim/archive_reader.h"
#include "shim/event_group.h"
#include "shim/feed_client.h"
#include "shim/file_crossing.h"
#include "shim/gtid_filter.h"
#include "shim/source_restarts.h"

namespace binlane {

// What the replica asked for, with the command and with the variables it set before.
struct DumpRequest {
  mysql::BinlogDump dump;
  std::optional<GtidRequest> gtid;  // nothing: by file and position
  std::uint32_t capability = 0;     // @mariadb_slave_capability
  bool checksum_aware = false;      // it set @master_binlog_checksum at all …
  bool checksums = false;           // … and to CRC32
  bool skip_marked = false;         // leave out what is marked with @@skip_replication
  std::uint64_t heartbeat_ns = 0;   // 0: none
  std::uint32_t source_id = 0;      // the server id of artificial events
  bool sealed = false;              // nothing more will come of this stream, but another follows
};

// How long the archive may stay behind what the replica already has.
inline constexpr std::uint64_t kAheadGraceNs = 60'000'000'000;

class DumpSession {
 public:
  DumpSession(FeedClient& client, FeedCounters& counters, SourceRestarts& restarts,
              ArchivePlace place, FeedLimit& limit, DumpRequest request);

  // Returns whether the connection goes on; the replica then has had an EOF or an error.
  bool run();
  // All of a sealed stream was sent: the replica has had no EOF, and wants what follows.
  bool at_sealed_end() const noexcept { return at_sealed_end_; }

 private:
  enum class Flow : std::uint8_t {
    go_on,
    next_file,
    finished,    // an EOF tells the client that this was all
    sealed_end,  // all of a sealed stream was sent
    restarted,   // the source's server was started anew: the connection ends, as its own did
    refused,     // error_ tells it why
    gone,        // there is nobody to tell
  };

  Flow find_start(Position& start);
  Flow find_start_by_file(Position& start);
  Flow find_start_by_gtid(Position& start);
  Flow send_file(Position start);
  // Before the next file is named: does the dump go on there?
  Flow on_next_file();
  Flow on_format_description(const ArchivedEvent& event, bool resumed);
  Flow on_event(const ArchivedEvent& event);
  Flow on_gtid_list(const ArchivedEvent& event);
  // At every place where no group is open.
  Flow on_boundary(std::uint64_t offset);
  // Until the limit is beyond `here`; heartbeats say where the reader stands.
  Flow wait_for_more(Position here);
  // Until something of the file is released.
  Flow wait_for_file(std::uint32_t number);
  Flow send_archived(const ArchivedEvent& event);
  Flow send_made(const Event& event);
  // Whether the client still wants something from this dump.
  Flow check_client();
  Flow check_ahead(bool ahead, const std::string& what);
  Flow refuse(mysql::ErrorPacket error);
  Flow refuse(std::string message);
  Flow flow_of(PacketSocket::Status status);
  std::string file_name() const { return place_.file_name(number_); }

  FeedClient& client_;
  FeedCounters& counters_;
  SourceRestarts& restarts_;
  const ArchivePlace place_;
  FeedLimit& limit_;
  const DumpRequest request_;
  ArchiveGtids gtids_;
  ArchiveReader reader_;
  std::optional<GtidFilter> filter_;
  FileCrossing crossing_;
  EventGroup group_;
  const std::uint64_t begun_ns_;
  const Position limit_at_start_;  // what came later came while this dump ran
  std::uint64_t last_send_ns_;
  std::uint32_t number_ = 0;     // of the file being sent
  Position resumed_at_;          // where the replica says it was, inside a file
  bool checksums_;               // of the events being sent
  bool server_started_ = false;  // the server wrote this file first when it was started
  bool list_seen_ = false;       // of this file
  bool sent_groups_ = false;
  bool skipping_ = false;  // the open group is not for this replica
  bool ahead_logged_ = false;
  bool at_sealed_end_ = false;
  mysql::ErrorPacket error_;
  std::vector<std::byte> piece_;
};

}  // namespace binlane
