#include "shim/group_reader.h"

#include "shim/feed_event.h"

namespace binlane {

bool GroupReader::open(Position from) {
  open_.reset();
  groups_ = {};
  error_.clear();
  seek_to_ = from.offset > kBinlogMagicSize ? from.offset : 0;
  return reader_.open(from.file);
}

GroupReader::Step GroupReader::next(BinlogGroup& group) {
  ArchivedEvent event;
  for (;;) {
    if (!error_.empty()) return Step::failed;
    const auto step = reader_.next(event);
    if (step == ArchiveReader::Step::failed) return Step::failed;
    if (step == ArchiveReader::Step::at_limit) return Step::at_limit;
    if (step == ArchiveReader::Step::file_end) return Step::file_end;
    if (event.header.type == EventType::format_description) {
      const auto format = event.whole() ? parse_format_description(event.front) : std::nullopt;
      if (!format) error_ = "corrupt format description event";
      checksums_ = format && format->checksums;
      if (seek_to_ != 0) reader_.seek(std::exchange(seek_to_, 0));
      continue;
    }
    const auto done =
        groups_.take(event.header.type, statement_kind(event.header, event.front, checksums_));
    // Without its end it is no whole group.
    if (done.cut_off) open_.reset();
    if (event.header.type == EventType::gtid) {
      const auto gtid = parse_gtid_event(event.front);
      if (!gtid)
        error_ = "corrupt GTID event";
      else
        open_ = BinlogGroup{gtid->gtid, {reader_.position().file, event.offset}, {}};
    }
    if (done.ended && open_) {
      group = *std::exchange(open_, std::nullopt);
      group.end = {group.begin.file, event.end()};
      return Step::group;
    }
  }
}

}  // namespace binlane
