// GroupReader: the event groups of the archive's files, one after the other, up to the feed's
// limit. It continues where it stopped when the limit moves. One thread owns it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/position.h"
#include "shim/binlog/event_group.h"
#include "shim/binlog/gtid.h"
#include "shim/feed/archive_reader.h"

namespace binlane {

struct BinlogGroup {
  Gtid gtid;  // none: an anonymous group of MySQL
  Position begin;
  Position end = {};  // after its last event
  // The server that wrote the file began it; otherwise that server got it as a replica.
  bool of_writer = false;
};

class GroupReader {
 public:
  enum class Step : std::uint8_t {
    group,
    at_limit,  // nothing more is released; try again when it is
    file_end,  // the file's last group was read
    failed,    // see error()
  };

  // `limit` must outlive the reader.
  GroupReader(ArchivePlace place, FeedLimit& limit) : reader_(std::move(place), limit) {}

  // Goes to `from`: an offset of 0, or where an event begins. Returns false, with error(), if its
  // file cannot be opened.
  bool open(Position from);
  Step next(BinlogGroup& group);

  // Every group that ends before here was given.
  Position position() const noexcept {
    if (open_) return open_->begin;
    const Position at = reader_.position();
    return seek_to_ == 0 ? at : Position{at.file, seek_to_};
  }
  const std::string& error() const noexcept { return error_.empty() ? reader_.error() : error_; }

 private:
  ArchiveReader reader_;
  // Where a group begins: the GTID event in `event`. Nothing for any other event.
  std::optional<BinlogGroup> group_at(const ArchivedEvent& event);

  std::optional<BinlogGroup> open_;  // its last event was not read yet
  EventGroup groups_;
  bool checksums_ = false;
  std::uint32_t writer_id_ = 0;  // server_id of the format description
  std::uint64_t seek_to_ = 0;    // once the format description was read
  std::string error_;
};

}  // namespace binlane
