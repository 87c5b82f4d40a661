// DumpRules: what the events of a binlog mean to a dump: where a replica has to begin, which event
// groups it gets, how it learns where it is, and whether the next file continues this one.
//
// DumpSession does the same for every replica: it reads, waits and sends. What depends on the
// server whose binlogs these are is here, in one class for each GTID grammar. A rule judges what it
// is shown and does no I/O, except where it is given an ArchiveGtids to ask. The dump's thread owns
// it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/position.h"
#include "shim/feed/archive_gtids.h"
#include "shim/feed/archive_reader.h"
#include "shim/feed/dump_request.h"
#include "shim/feed/feed_event.h"
#include "shim/feed/mysql_packet.h"

namespace binlane {

class DumpRules {
 public:
  struct Verdict {
    bool begins_group = false;
    bool send = true;  // the group that begins
    std::optional<mysql::ErrorPacket> error = std::nullopt;
    std::string gap = {};  // what is missing between the file before and this one; or nothing
  };

  DumpRules() = default;
  DumpRules(const DumpRules&) = delete;
  DumpRules& operator=(const DumpRules&) = delete;
  virtual ~DumpRules() = default;

  // --- where to begin
  // Why a client like this one gets nothing at all.
  virtual std::optional<mysql::ErrorPacket> check_client(ArchiveGtids& gtids) = 0;
  virtual bool by_gtid() const noexcept = 0;
  // It wants what it lacks, wherever that is, instead of naming a file.
  virtual bool seeks_file() const noexcept = 0;
  // Finds that file for a client that seeks it.
  virtual std::optional<mysql::ErrorPacket> find_start(ArchiveGtids& gtids, Position& start) = 0;

  // --- while a file is sent
  virtual void begin_file(std::uint32_t number, bool from_its_beginning) = 0;
  // The replica has had something of this file, or of a later one: the server that wrote the file
  // did not start after that.
  virtual bool file_is_known() const = 0;
  // The event that tells, at the beginning of a file, what the files before it contain.
  virtual bool is_list(EventType type) const noexcept = 0;
  // Every event after the format description. `server_started`: the server was started before it
  // wrote this file.
  virtual Verdict on_event(const ArchivedEvent& event, bool checksums, bool server_started) = 0;
  virtual void on_group_end() = 0;
  // An event to be sent here, between two groups.
  virtual std::optional<Event> take_note(std::uint64_t offset, bool checksums) = 0;
  // A heartbeat has to tell the replica how far it is once groups were left out.
  virtual bool tells_what_was_left_out() const noexcept = 0;
  // The client has all that it asked for, once it has this event.
  virtual std::optional<Event> end_note(std::uint64_t offset, bool checksums) const = 0;

  // --- from file to file
  // The next file's list will be judged; if this file was not read from its beginning, reads it.
  virtual void before_next_file(ArchiveGtids& gtids, std::uint32_t number) = 0;
  // A dump must end where the server was started anew, as its own dumps did.
  virtual bool ends_at_restart() const noexcept = 0;

  // --- waiting
  virtual Event heartbeat(const std::string& file, std::uint64_t offset, bool checksums) const = 0;
  // What the replica holds and the archive does not (yet).
  virtual std::optional<std::string> ahead_of() const = 0;
  // It was waited for in vain; `what` says in the feed's own words what is ahead of what.
  virtual mysql::ErrorPacket still_ahead(const std::string& what) const = 0;
};

std::unique_ptr<DumpRules> make_dump_rules(const DumpRequest& request, const ArchivePlace& place,
                                           FeedLimit& limit);

}  // namespace binlane
