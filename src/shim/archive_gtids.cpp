#include "shim/archive_gtids.h"

#include <fmt/format.h>
#include <unistd.h>

namespace binlane {
namespace {

// How many events a file's Gtid_list is looked for in: it stands right behind the format
// description.
constexpr int kHeaderEvents = 4;

}  // namespace

std::optional<FileStart> ArchiveGtids::file_start(std::uint32_t number) {
  ArchiveReader reader(place_, limit_);
  if (!reader.open(number)) {
    error_ = reader.error();
    return std::nullopt;
  }
  std::optional<FileStart> start;
  ArchivedEvent event;
  for (int i = 0; i < kHeaderEvents; ++i) {
    const auto step = reader.next(event);
    if (step == ArchiveReader::Step::failed) {
      error_ = reader.error();
      return std::nullopt;
    }
    if (step != ArchiveReader::Step::event) break;
    if (!start) {
      const auto format = event.whole() ? parse_format_description(event.front) : std::nullopt;
      if (!format) {
        error_ = "Failed to find format descriptor event in start of binlog";
        return std::nullopt;
      }
      start = FileStart{*format, std::nullopt};
    } else if (event.header.type == EventType::gtid_list) {
      start->gtid_list =
          event.whole() ? parse_gtid_list(event.front, start->format.checksums) : std::nullopt;
      if (!start->gtid_list) {
        error_ = "Failed to read Gtid_list_log_event: corrupt binlog";
        return std::nullopt;
      }
      break;
    }
  }
  if (!start) error_ = fmt::format("nothing of '{}' is released yet", place_.file_name(number));
  return start;
}

std::optional<GtidHistory> ArchiveGtids::history_at(Position position) {
  return scan(position.file, position.offset);
}

std::optional<GtidHistory> ArchiveGtids::history() {
  const Position limit = limit_.whole_groups();
  if (limit.is_null()) {
    error_ = "nothing is released yet";
    return std::nullopt;
  }
  const std::uint32_t newest = newest_file();
  if (newest < limit.file) return scan(newest, std::nullopt);
  auto history = scan(newest, limit.offset);
  // The limit may stand between a new file's first events.
  if (!history && list_missing_ && newest > 1) history = scan(newest - 1, std::nullopt);
  return history;
}

std::uint32_t ArchiveGtids::newest_file() const {
  const Position limit = limit_.whole_groups();
  // A file that has not begun may not exist.
  return limit.offset > kBinlogMagicSize || limit.is_null() ? limit.file : limit.file - 1;
}

std::optional<GtidHistory> ArchiveGtids::scan(std::uint32_t number,
                                              std::optional<std::uint64_t> stop) {
  list_missing_ = false;
  ArchiveReader reader(place_, limit_);
  if (!reader.open(number)) {
    error_ = reader.error();
    return std::nullopt;
  }
  GtidHistory history;
  bool list_seen = false;
  bool checksums = false;
  bool fits = true;
  ArchivedEvent event;
  bool stop_seen = !stop;
  // The state at a place before the Gtid_list is that list's.
  while (!stop || !list_seen || reader.position().offset < *stop) {
    stop_seen = stop_seen || reader.position().offset == *stop;
    if (cancelled_()) {
      error_ = "the connection has ended";
      return std::nullopt;
    }
    const auto step = reader.next(event);
    if (step == ArchiveReader::Step::failed) {
      error_ = reader.error();
      return std::nullopt;
    }
    if (step != ArchiveReader::Step::event) break;
    if (event.header.type == EventType::format_description) {
      const auto format = event.whole() ? parse_format_description(event.front) : std::nullopt;
      checksums = format && format->checksums;
    } else if (event.header.type == EventType::gtid_list && !list_seen) {
      const auto list = event.whole() ? parse_gtid_list(event.front, checksums) : std::nullopt;
      if (!list) {
        error_ = "Failed to read Gtid_list_log_event: corrupt binlog";
        return std::nullopt;
      }
      for (const GtidEntry& entry : *list) fits = history.set(entry) && fits;
      list_seen = true;
    } else if (event.header.type == EventType::gtid) {
      const auto gtid = parse_gtid_event(event.front);
      if (!gtid) {
        error_ = "Failed to read Gtid_log_event: corrupt binlog";
        return std::nullopt;
      }
      fits = history.set(gtid->gtid) && fits;
    }
  }
  if (!stop_seen && reader.position().offset != *stop) {
    error_ = fmt::format("{} is not the place of an event, or not released yet",
                         to_string(Position{number, *stop}));
    return std::nullopt;
  }
  if (!list_seen) {
    list_missing_ = true;
    error_ = fmt::format("'{}' has no Gtid_list event", place_.file_name(number));
    return std::nullopt;
  }
  if (!fits) {
    error_ = fmt::format("more than {} GTID states", GtidHistory::kMaxEntries);
    return std::nullopt;
  }
  return history;
}

std::optional<ArchiveGtids::StartFile> ArchiveGtids::find_start(const GtidPosition& start) {
  const std::uint32_t newest = newest_file();
  for (std::uint32_t number = newest; number > 0; --number) {
    if (access(place_.path(number).c_str(), F_OK) != 0) break;
    const auto file = file_start(number);
    // The newest file may end, for now, before its Gtid_list.
    if ((!file || !file->gtid_list) && number == newest) continue;
    if (!file) return std::nullopt;
    if (!file->gtid_list) {
      error_ = fmt::format("'{}' has no Gtid_list event", place_.file_name(number));
      return std::nullopt;
    }
    if (needs_nothing_before(start, *file->gtid_list)) return StartFile{number, *file->gtid_list};
  }
  error_ =
      "Could not find GTID state requested by slave in any binlog files. Probably the slave state "
      "is too old and required binlog files have been purged.";
  return std::nullopt;
}

std::uint32_t ArchiveGtids::oldest_file() const {
  std::uint32_t oldest = 0;
  for (std::uint32_t number = newest_file(); number > 0; --number) {
    if (access(place_.path(number).c_str(), F_OK) != 0) break;
    oldest = number;
  }
  return oldest;
}

}  // namespace binlane
