// What the archive holds in terms of GTIDs: found by reading its files, up to the feed's limit.
//
// Any ordinary thread may make one and use it; a call reads at most the header of every file, or
// one file whole. Nothing is kept between calls.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/position.h"
#include "shim/archive_reader.h"
#include "shim/feed_event.h"
#include "shim/gtid_filter.h"
#include "shim/gtid_position.h"

namespace binlane {

// The beginning of a file: its format description, and its Gtid_list if that is released.
struct FileStart {
  FormatDescription format;
  std::optional<std::vector<GtidEntry>> gtid_list;
};

class ArchiveGtids {
 public:
  // `cancelled`, asked often, ends a long read early; the call then fails.
  ArchiveGtids(ArchivePlace place, FeedLimit& limit, std::function<bool()> cancelled)
      : place_(std::move(place)), limit_(limit), cancelled_(std::move(cancelled)) {}

  // Nothing, with error(), when the file cannot be read, or when not even its format description is
  // released yet.
  std::optional<FileStart> file_start(std::uint32_t number);
  // All groups before `position`, which must be an event's beginning or end. Nothing, with error(),
  // when it is not, when it is beyond the limit, or when the file cannot be read.
  std::optional<GtidHistory> history_at(Position position);
  // All groups of a file that is complete.
  std::optional<GtidHistory> history_of_file(std::uint32_t number) {
    return scan(number, std::nullopt);
  }
  // All groups up to the limit.
  std::optional<GtidHistory> history();
  // The newest file with which a replica at `start` can begin, and its Gtid_list. Nothing, with
  // error() as a real source words it, when there is none.
  struct StartFile {
    std::uint32_t number = 0;
    std::vector<GtidEntry> gtid_list;
  };
  std::optional<StartFile> find_start(const GtidPosition& start);
  // The file that the limit is in, or the one before while nothing is released of that; 0 when
  // there is none.
  std::uint32_t newest_file() const;
  // The oldest file without a gap between it and the newest; 0 when there is none.
  std::uint32_t oldest_file() const;

  const std::string& error() const noexcept { return error_; }

 private:
  // Reads on to `stop`, or to the file's end for nothing.
  std::optional<GtidHistory> scan(std::uint32_t number, std::optional<std::uint64_t> stop);

  const ArchivePlace place_;
  FeedLimit& limit_;
  const std::function<bool()> cancelled_;
  std::string error_;
  bool list_missing_ = false;  // the last scan ended before the file's Gtid_list
};

}  // namespace binlane
