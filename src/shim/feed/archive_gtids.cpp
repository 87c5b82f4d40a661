#include "shim/feed/archive_gtids.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "shim/binlog/mysql_gtid_event.h"
#include "shim/feed/group_reader.h"

namespace binlane {
namespace {

// In how many events a file's list is searched for: it comes right after the format description.
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
    if (start && start->has_list() && step != ArchiveReader::Step::event) break;
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
      start = FileStart{.format = *format};
    } else if (event.header.type == EventType::gtid_list) {
      start->gtid_list =
          event.whole() ? parse_gtid_list(event.front, start->format.checksums) : std::nullopt;
      if (!start->gtid_list) {
        error_ = "Failed to read Gtid_list_log_event: corrupt binlog";
        return std::nullopt;
      }
      break;
    } else if (event.header.type == EventType::previous_gtids) {
      start->previous_gtids = parse_previous_gtids(event.front, start->format.checksums);
      if (!start->previous_gtids) {
        error_ = "Failed to read Previous_gtids_log_event: corrupt binlog, or too long a list";
        return std::nullopt;
      }
    } else if (start->previous_gtids) {
      start->first_event = event.header.type;
      break;
    }
  }
  if (!start) error_ = fmt::format("nothing of '{}' is released yet", place_.file_name(number));
  return start;
}

GtidGrammar FileStart::grammar() const noexcept {
  if (gtid_list) return GtidGrammar::mariadb;
  if (previous_gtids) return GtidGrammar::mysql;
  return grammar_of(format.server_version);
}

bool FileStart::begins_after(const Gtid& gtid) const noexcept {
  if (const MysqlGtid* const mysql = gtid.mysql())
    return previous_gtids && previous_gtids->contains(*mysql);
  const GtidEntry* const wanted = gtid.mariadb();
  if (wanted == nullptr || !gtid_list) return false;
  return std::ranges::any_of(*gtid_list, [wanted](const GtidEntry& entry) {
    return entry.domain == wanted->domain && entry.server_id == wanted->server_id &&
           entry.sequence >= wanted->sequence;
  });
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
  // The limit may be between a new file's first events.
  if (!history && list_missing_ && newest > 1) history = scan(newest - 1, std::nullopt);
  return history;
}

std::optional<GtidSet> ArchiveGtids::collect(bool all_named) {
  std::uint32_t number = newest_file();
  auto start = number > 0 ? file_start(number) : std::nullopt;
  // The limit may be between a new file's first events.
  if ((!start || !start->has_list()) && number > 1) start = file_start(--number);
  if (!start || start->grammar() == GtidGrammar::mariadb) {
    const auto found = history();
    return found ? std::optional(GtidSet(found->position())) : std::nullopt;
  }
  if (!start->previous_gtids) {
    error_ = fmt::format("'{}' has no Previous_gtids event", place_.file_name(number));
    return std::nullopt;
  }
  auto set = read_set(number, std::move(*start->previous_gtids), all_named);
  return set ? std::optional(GtidSet(std::move(*set))) : std::nullopt;
}

std::optional<MysqlGtidSet> ArchiveGtids::read_set(std::uint32_t number, MysqlGtidSet set,
                                                   bool all_named) {
  GroupReader reader(place_, limit_);
  if (!reader.open({number, 0})) {
    error_ = reader.error();
    return std::nullopt;
  }
  BinlogGroup group;
  for (;;) {
    if (cancelled_()) {
      error_ = "the connection has ended";
      return std::nullopt;
    }
    const auto step = reader.next(group);
    if (step == GroupReader::Step::failed) {
      error_ = reader.error();
      return std::nullopt;
    }
    if (step != GroupReader::Step::group) return set;
    const MysqlGtid* const gtid = group.gtid.mysql();
    if (gtid == nullptr && !all_named) continue;
    if (gtid == nullptr || !set.add(*gtid)) {
      error_ = gtid == nullptr
                   ? fmt::format("the group at {}:{} has no GTID", place_.file_name(number),
                                 group.begin.offset)
                   : fmt::format("more than {} GTID intervals", MysqlGtidSet::kMaxIntervals);
      return std::nullopt;
    }
  }
}

std::optional<FileStart> ArchiveGtids::start_with_list(std::uint32_t number) {
  auto start = file_start(number);
  if (start && !start->previous_gtids) {
    error_ = fmt::format("'{}' has no Previous_gtids event", place_.file_name(number));
    return std::nullopt;
  }
  return start;
}

std::optional<ArchiveGtids::SetStart> ArchiveGtids::find_start(const MysqlGtidSet& held) {
  SetStart found;
  const std::uint32_t newest = newest_file();
  for (std::uint32_t number = newest; number > 0; --number) {
    if (OpenBinlog(*place_.files, number).error() == ENOENT) break;
    auto start = start_with_list(number);
    // The newest file may end, for now, before its list.
    if (!start && number == newest) continue;
    if (!start) return std::nullopt;
    found.purged = *std::move(start->previous_gtids);
    if (!held.covers(found.purged)) continue;
    found.number = number;
    GroupReader reader(place_, limit_);
    BinlogGroup first;
    if (reader.open({number, 0}) && reader.next(first) == GroupReader::Step::group) {
      const MysqlGtid* const gtid = first.gtid.mysql();
      found.first_group_held = gtid != nullptr && held.contains(*gtid);
    }
    break;
  }
  return found;
}

std::optional<ArchiveGtids::Writer> ArchiveGtids::newest_writer() {
  const std::uint32_t newest = newest_file();
  for (std::uint32_t number = newest; number > 0 && number + 1 >= newest; --number) {
    GroupReader reader(place_, limit_);
    std::optional<Writer> writer;
    BinlogGroup group;
    if (!reader.open({number, 0})) break;
    while (!cancelled_() && reader.next(group) == GroupReader::Step::group) {
      const MysqlGtid* const gtid = group.gtid.mysql();
      if (gtid == nullptr || !group.of_writer) continue;
      const bool same = !writer || writer->uuid == gtid->tsid.uuid;
      writer = Writer{gtid->tsid.uuid, same && (!writer || writer->certain)};
    }
    if (writer) return writer;
  }
  return std::nullopt;
}

std::optional<MysqlGtidSet> ArchiveGtids::purged() {
  const std::uint32_t oldest = oldest_file();
  if (oldest == 0) {
    error_ = "nothing is released yet";
    return std::nullopt;
  }
  auto start = start_with_list(oldest);
  return start ? std::move(start->previous_gtids) : std::nullopt;
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
  // The state at a position before the Gtid_list is that list's.
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
    error_ = fmt::format("{} is not the position of an event, or is not released yet",
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
    if (OpenBinlog(*place_.files, number).error() == ENOENT) break;
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
    if (OpenBinlog(*place_.files, number).error() == ENOENT) break;
    oldest = number;
  }
  return oldest;
}

}  // namespace binlane
