// What the archive holds in terms of GTIDs: found by reading its files, up to the feed's limit.
//
// Any ordinary thread may create and use one. A call reads at most the header of every file, or one
// file whole. Nothing is kept between calls.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/position.h"
#include "base/uuid.h"
#include "shim/binlog/gtid_position.h"
#include "shim/binlog/gtid_set.h"
#include "shim/feed/archive_reader.h"
#include "shim/feed/feed_event.h"
#include "shim/feed/gtid_filter.h"

namespace binlane {

// The beginning of a file: its format description, and the list of what the files before it
// contain, if that is released. A server writes one of both kinds.
struct FileStart {
  FormatDescription format;
  std::optional<std::vector<GtidEntry>> gtid_list = std::nullopt;  // MariaDB
  std::optional<MysqlGtidSet> previous_gtids = std::nullopt;       // MySQL

  bool has_list() const noexcept { return gtid_list || previous_gtids; }
  // The type of the file's first event after its list, if it is released.
  EventType first_event = EventType::unknown;

  // The list tells; before it is there, the server's version does.
  GtidGrammar grammar() const noexcept;
  // The list says that a file before this one contains it.
  bool begins_after(const Gtid& gtid) const noexcept;
};

class ArchiveGtids {
 public:
  // `cancelled`, asked often, ends a long read early; the call then fails.
  ArchiveGtids(ArchivePlace place, FeedLimit& limit, std::function<bool()> cancelled)
      : place_(std::move(place)), limit_(limit), cancelled_(std::move(cancelled)) {}

  // Nothing, with error(), if the file cannot be read, or if not even its format description is
  // released yet.
  std::optional<FileStart> file_start(std::uint32_t number);
  // The groups of MariaDB's binlogs before `position`, which must be an event's beginning or end.
  // Nothing, with error(), if it is not, if it is beyond the limit, or if the file cannot be read.
  std::optional<GtidHistory> history_at(Position position);
  // All groups of a file that is complete.
  std::optional<GtidHistory> history_of_file(std::uint32_t number) {
    return scan(number, std::nullopt);
  }
  // All groups up to the limit.
  std::optional<GtidHistory> history();
  // What a server, of either kind, has executed once it has executed all groups up to the limit.
  // Nothing, with error(), also if one of the newest file's groups has no GTID.
  std::optional<GtidSet> executed() { return collect(true); }
  // The same, less the groups that have no GTID.
  std::optional<GtidSet> named() { return collect(false); }
  // The newest file with which a replica at `start` can begin, and its Gtid_list. Nothing, with
  // error() as a real source words it, when there is none.
  struct StartFile {
    std::uint32_t number = 0;
    std::vector<GtidEntry> gtid_list;
  };
  std::optional<StartFile> find_start(const GtidPosition& start);
  // The same on MySQL, where a replica holds a set.
  struct SetStart {
    std::uint32_t number = 0;       // 0: none of the files, and `purged` is what precedes them
    bool first_group_held = false;  // the replica holds this file's first group
    MysqlGtidSet purged;
  };
  std::optional<SetStart> find_start(const MysqlGtidSet& held);
  // The server that writes these binlogs, by the newest group with a GTID that it began, in the
  // newest file or the one before it.
  struct Writer {
    Uuid uuid;
    // All groups that it began in that file have this UUID. A GTID that somebody chose may have
    // another one.
    bool certain = true;
  };
  std::optional<Writer> newest_writer();
  // What MySQL's files that are not here any more contained.
  std::optional<MysqlGtidSet> purged();
  // The file that contains the limit, or the one before while nothing of that is released; 0 if
  // there is none.
  std::uint32_t newest_file() const;
  // The oldest file without a gap between it and the newest; 0 when there is none.
  std::uint32_t oldest_file() const;

  bool cancelled() const { return cancelled_(); }
  const std::string& error() const noexcept { return error_; }

 private:
  // Reads on to `stop`, or to the file's end if that is nothing.
  std::optional<GtidHistory> scan(std::uint32_t number, std::optional<std::uint64_t> stop);
  std::optional<FileStart> start_with_list(std::uint32_t number);
  // MySQL's: what precedes the file, and its whole groups up to the limit.
  std::optional<MysqlGtidSet> read_set(std::uint32_t number, MysqlGtidSet set, bool all_named);
  std::optional<GtidSet> collect(bool all_named);

  const ArchivePlace place_;
  FeedLimit& limit_;
  const std::function<bool()> cancelled_;
  std::string error_;
  bool list_missing_ = false;  // the last scan ended before the file's Gtid_list
};

}  // namespace binlane
