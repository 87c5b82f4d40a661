#include "shim/group_reader.h"

#include "shim/feed_event.h"

namespace binlane {

bool GroupReader::open(Position from) {
  open_.reset();
  error_.clear();
  if (!reader_.open(from.file)) return false;
  if (from.offset > kBinlogMagicSize) reader_.seek(from.offset);
  return true;
}

GroupReader::Step GroupReader::next(BinlogGroup& group) {
  const auto close = [&](std::uint64_t at) {
    if (!open_) return false;
    group = *open_;
    group.end = {group.begin.file, at};
    open_.reset();
    return true;
  };
  ArchivedEvent event;
  for (;;) {
    if (!error_.empty()) return Step::failed;
    const auto step = reader_.next(event);
    if (step == ArchiveReader::Step::failed) return Step::failed;
    if (step != ArchiveReader::Step::event) {
      // Limit and end of file stand behind whole groups.
      if (close(reader_.position().offset)) return Step::group;
      return step == ArchiveReader::Step::at_limit ? Step::at_limit : Step::file_end;
    }
    const bool ended = stands_alone(event.header.type) && close(event.offset);
    if (event.header.type == EventType::gtid) {
      const auto gtid = parse_gtid_event(event.front);
      if (!gtid)
        error_ = "corrupt GTID event";
      else
        open_ = BinlogGroup{gtid->gtid, {reader_.position().file, event.offset}, {}};
    }
    if (ended) return Step::group;
  }
}

}  // namespace binlane
