#include "shim/feed/group_reader.h"

#include "shim/binlog/mysql_gtid_event.h"
#include "shim/feed/feed_event.h"

namespace binlane {

bool GroupReader::open(Position from) {
  open_.reset();
  groups_ = {};
  error_.clear();
  seek_to_ = from.offset > kBinlogMagicSize ? from.offset : 0;
  return reader_.open(from.file);
}

std::optional<BinlogGroup> GroupReader::group_at(const ArchivedEvent& event) {
  const Position begin{reader_.position().file, event.offset};
  const bool of_writer = event.header.server_id == writer_id_;
  if (event.header.type == EventType::gtid) {
    if (const auto gtid = parse_gtid_event(event.front))
      return BinlogGroup{gtid->gtid, begin, {}, of_writer};
  } else if (is_mysql_gtid(event.header.type)) {
    if (const auto gtid = parse_mysql_gtid_event(event.front, checksums_))
      return BinlogGroup{gtid->gtid ? Gtid(*gtid->gtid) : Gtid(), begin, {}, of_writer};
  } else {
    return std::nullopt;
  }
  error_ = "corrupt GTID event";
  return std::nullopt;
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
      writer_id_ = event.header.server_id;
      if (seek_to_ != 0) reader_.seek(std::exchange(seek_to_, 0));
      continue;
    }
    const auto done =
        groups_.take(event.header.type, statement_kind(event.header, event.front, checksums_));
    // Without its end it is no whole group.
    if (done.cut_off) open_.reset();
    if (auto begun = group_at(event)) open_ = std::move(*begun);
    if (done.ended && open_) {
      group = *std::exchange(open_, std::nullopt);
      group.end = {group.begin.file, event.end()};
      return Step::group;
    }
  }
}

}  // namespace binlane
