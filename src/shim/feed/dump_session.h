// DumpSession: one COM_BINLOG_DUMP or COM_BINLOG_DUMP_GTID from its beginning to its end.
//
// It finds where the replica has to begin. Then it sends what the archive holds, file after file,
// as a real source does: an artificial Rotate with the file's name, the format description, the
// events, and heartbeats when there is nothing to send. ArchiveReader decides what it may send
// [I7], and DumpRules what a replica that follows by GTID needs of that. The connection's thread
// runs it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "shim/binlog/event_group.h"
#include "shim/feed/archive_gtids.h"
#include "shim/feed/archive_reader.h"
#include "shim/feed/dump_request.h"
#include "shim/feed/dump_rules.h"
#include "shim/feed/event_sender.h"
#include "shim/feed/feed_client.h"
#include "shim/server/source_restarts.h"

namespace binlane {

// How long the archive may lag what the replica already has.
inline constexpr std::uint64_t kAheadGraceNs = 60'000'000'000;

class DumpSession {
 public:
  DumpSession(FeedClient& client, FeedCounters& counters, SourceRestarts& restarts,
              ArchivePlace place, FeedLimit& limit, DumpRequest request);

  // Returns whether the connection continues; the replica then has had an EOF or an error.
  bool run();
  // All of a sealed stream was sent: the replica has had no EOF, and wants what follows.
  bool at_sealed_end() const noexcept { return at_sealed_end_; }

 private:
  enum class Flow : std::uint8_t {
    go_on,
    next_file,
    finished,    // an EOF tells the client that this was all
    sealed_end,  // all of a sealed stream was sent
    restarted,   // the source's server was started anew: the connection ends, as the source's own
                 // did
    refused,     // error_ tells the client why
    gone,        // the client is gone
  };

  Flow find_start(Position& start);
  Flow find_start_by_file(Position& start);
  Flow send_file(Position start);
  // Before the next file is named: does the dump continue there?
  Flow on_next_file();
  Flow on_format_description(const ArchivedEvent& event, bool resumed);
  Flow on_event(const ArchivedEvent& event);
  Flow on_gap(const std::string& gap);
  // The replica has it; while much is left out, heartbeats go on.
  Flow leave_out(const ArchivedEvent& event);
  // The position of a replica of MySQL moves past what was left out before the next event.
  Flow tell_what_was_left_out();
  Flow send_heartbeat(std::uint64_t offset);
  // At every place where no group is open.
  Flow on_boundary(std::uint64_t offset);
  // Waits until the limit is beyond `here`; heartbeats tell the reader's position.
  Flow wait_for_more(Position here);
  // Until something of the file is released.
  Flow wait_for_file(std::uint32_t number);
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
  const std::unique_ptr<DumpRules> rules_;
  EventGroup group_;
  const std::uint64_t begun_ns_;
  const Position limit_at_start_;  // what came later came while this dump ran
  EventSender sender_;
  std::uint32_t number_ = 0;  // of the file being sent
  Position resumed_at_;       // where the replica says it was, inside a file
  bool checksums_;            // of the events being sent
  bool server_started_ =
      false;                // this is the first file that the server wrote after it was started
  bool list_seen_ = false;  // of this file
  bool sent_groups_ = false;
  bool skipping_ = false;          // the open group is not for this replica
  std::uint64_t left_out_to_ = 0;  // events up to here were left out, and it was not told; 0: none
  bool ahead_logged_ = false;
  bool at_sealed_end_ = false;
  mysql::ErrorPacket error_;
};

}  // namespace binlane
