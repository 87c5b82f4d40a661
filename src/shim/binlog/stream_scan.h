// scan_stream(): reads what a server's binlog files hold at the start of an incarnation, so that
// the tailer can continue from there, and finds what is damaged in them. [S24] count_groups(): how
// many event groups a part of a stream holds.
//
// Both may read whole files: for ordinary threads only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/file_end.h"
#include "base/position.h"
#include "shim/binlog/binlog_folder.h"
#include "shim/binlog/group_tracker.h"
#include "shim/binlog/stream_map.h"

namespace binlane {

// Where a tailer begins: all files but the newest with their ends, and the newest one's groups up
// to what was read of it.
struct StreamStart {
  StreamMap map;
  GroupTracker tracker;
};

struct ScanResult {
  int error = 0;           // errno; EBADMSG: see `fault`, or `damage`
  std::uint32_t file = 0;  // where the error was
  TrackerFault fault = TrackerFault::none;
  // Where the files are not what a running or a crashed server leaves, and what is found there.
  Position damaged_at;
  std::string damage;
  // Older files that the map has no room for; replicas that need them cannot be served.
  std::uint32_t skipped_files = 0;

  bool ok() const noexcept { return error == 0; }
};

// For a tracker at a file's first events: how that file differs from the end of the previous one.
std::string discontinuity_text(const GroupTracker& tracker);

// "binlog 3 is damaged at 3:988: an event says that it ends elsewhere", for people.
std::string scan_text(const ScanResult& result);

// What scan_stream() checks in files that are not the newest. By default: nothing but their ends.
struct ScanChecks {
  bool damage = false;
  // With `damage`, every file from this one on is read whole and has to continue where the previous
  // one ended. Of an older file, which an earlier scan has proven, only the end is checked.
  std::uint32_t whole_from = 0;
};

// Reads the files `first` to `newest`, the newest whole. A newest file that is empty or begins with
// zeros is not there yet (file_head.h), so the one before is the newest. A newest file that cannot
// be a binlog is an error: a server that tears a file continues in another one, so the torn one is
// not the newest.
ScanResult scan_stream(const BinlogFolder& folder, std::uint32_t first, std::uint32_t newest,
                       StreamStart& start, const ScanChecks& checks = {});

// What is damaged in the files `first` to `last`, each read whole; empty when nothing is. The last
// file may end anywhere: `end` says where its whole groups end, and its bytes.
std::string find_damage(const BinlogFolder& folder, std::uint32_t first, std::uint32_t last,
                        FileEnd& end);

// Lets `tracker` follow the file that contains `end`, from its beginning up to there. Returns false
// if the file cannot be read that far, or is no binlog.
bool follow_to(const BinlogFolder& folder, Position end, GroupTracker& tracker);

// How far whole event groups reach in a stream that ends at `end`, perhaps within a group. Nothing
// if its file cannot be read up to there, or is no binlog.
std::optional<Position> whole_groups_before(const BinlogFolder& folder, Position end);

// How many event groups end after `from` and not after `to`. Nothing if a file cannot be read up to
// there, is no binlog, or is damaged: what follows the damage cannot be counted, and it is not
// nothing.
std::optional<std::uint64_t> count_groups(const BinlogFolder& folder, Position from, Position to);

}  // namespace binlane
