#include "shim/feed/archive_facts.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/clock.h"
#include "shim/binlog/binlog_files.h"
#include "shim/binlog/stream_scan.h"
#include "shim/feed/fixed_feed_limit.h"

namespace binlane {
namespace {

// How long a question waits while the archive holds nothing yet. The replica gives up after its
// slave_net_timeout, 60 s unless changed, and then tries again.
constexpr std::uint64_t kArchiveWaitNs = 45 * kNanosPerSecond;

}  // namespace

Position ArchiveFacts::whole_groups_of(const SealedFeed& sealed) {
  const PosixBinlogFiles files(sealed.place.directory, sealed.place.basename);
  // Files that cannot be read hold nothing for any client, wherever they end.
  return whole_groups_before(files, sealed.end).value_or(sealed.end);
}

bool ArchiveFacts::wait_until(const std::function<bool()>& ready) {
  const std::uint64_t deadline = monotonic_ns() + kArchiveWaitNs;
  while (!ready()) {
    const std::uint64_t now = monotonic_ns();
    if (now >= deadline || client_.socket.ended() || client_.socket.has_input()) return false;
    // Beyond what existed when `ready` was asked, or a little later: the basename may appear alone.
    limit_.wait_beyond(limit_.whole_groups(), now + kFeedWaitSliceNs);
  }
  return true;
}

std::optional<ArchivePlace> ArchiveFacts::place() const {
  std::string basename = options_.basename();
  if (basename.empty()) return std::nullopt;
  return ArchivePlace{options_.archive_dir, std::move(basename)};
}

std::optional<FileStart> ArchiveFacts::newest_start() {
  const auto archive = place();
  if (archive && !limit_.whole_groups().is_null()) return newest_start(*archive, limit_);
  if (options_.sealed.empty()) return std::nullopt;
  // A file's beginning is before all groups, so that the end need not be a group's. Strangers make
  // this happen, and to find a group's end may take a whole file.
  FixedFeedLimit limit;
  limit.set(options_.sealed.back().end);
  return newest_start(options_.sealed.back().place, limit);
}

std::optional<FileStart> ArchiveFacts::newest_start(const ArchivePlace& place, FeedLimit& limit) {
  ArchiveGtids gtids(place, limit, [this] { return client_.socket.ended(); });
  const std::uint32_t newest = gtids.newest_file();
  auto start = newest > 0 ? gtids.file_start(newest) : std::nullopt;
  // The format description of a file that has just begun may not be released yet.
  if (!start && newest > 1) start = gtids.file_start(newest - 1);
  return start;
}

FeedGreeting ArchiveFacts::greeting() {
  const auto start = newest_start();
  return FeedGreeting(start ? start->format.server_version : std::string());
}

std::optional<SourceFacts> ArchiveFacts::source() {
  std::optional<FileStart> start;
  wait_until([&] {
    start = newest_start();
    return start.has_value();
  });
  if (!start) return std::nullopt;
  SourceFacts facts;
  facts.checksums = start->format.checksums;
  facts.server_id = options_.server_id != 0 ? options_.server_id : start->format.server_id;
  facts.grammar = start->grammar();
  facts.server_uuid = feed_server_uuid(options_.origin);
  facts.anonymous = start->first_event == EventType::anonymous_gtid_log;
  if (start->gtid_list) {
    // The domain that it last wrote to, as far as the list tells.
    for (const GtidEntry& entry : *start->gtid_list) {
      if (entry.server_id == start->format.server_id) facts.gtid_domain = entry.domain;
    }
  }
  return facts;
}

std::optional<std::string> ArchiveFacts::gtid_set(FeedSet set) {
  const bool came = wait_for_stream();
  const auto archive = place();
  if (!came || !archive) return std::nullopt;
  ArchiveGtids gtids(*archive, limit_, [this] { return client_.socket.ended(); });
  if (set == FeedSet::purged) {
    const auto purged = gtids.purged();
    return purged ? std::optional(purged->server_text()) : std::nullopt;
  }
  const auto executed = gtids.named();
  if (!executed) return std::nullopt;
  const MysqlGtidSet* const mysql_set = executed->mysql();
  return mysql_set != nullptr ? mysql_set->server_text() : executed->text();
}

std::optional<std::vector<ServedFile>> ArchiveFacts::files() {
  const bool came = wait_for_stream();
  const auto archive = place();
  if (!came || !archive) return std::nullopt;
  const Position limit = limit_.whole_groups();
  ArchiveGtids gtids(*archive, limit_, [this] { return client_.socket.ended(); });
  std::vector<ServedFile> files;
  const std::uint32_t newest = gtids.newest_file();
  for (std::uint32_t number = gtids.oldest_file(); number != 0 && number <= newest; ++number) {
    std::error_code error;
    const auto size = number == limit.file
                          ? limit.offset
                          : std::filesystem::file_size(archive->path(number), error);
    if (error) return std::nullopt;  // it was deleted meanwhile
    files.push_back({archive->file_name(number), size});
  }
  return files;
}

std::optional<std::optional<std::string>> ArchiveFacts::gtid_position(const std::string& file,
                                                                      std::uint64_t offset) {
  const Position position{binlog_file_number(file),
                          std::max<std::uint64_t>(offset, kBinlogMagicSize)};
  const Position limit = limit_.whole_groups();
  if (!limit.is_null() && position.file > limit.file + kMaxFilesAhead)
    return std::optional<std::optional<std::string>>(
        std::in_place);  // NULL, as a source answers for a file that it lacks
  // A replica may be ahead of the archive for a moment: the answer has to wait rather than be
  // wrong.
  const bool came = wait_until([&] {
    client_.ahead = limit_.whole_groups() < position;
    return place() && !client_.ahead;
  });
  client_.ahead = false;
  if (!came) return std::nullopt;
  const auto archive = place();
  std::optional<std::string> text;
  if (position.is_null() || !archive || archive->file_name(position.file) != file) return text;
  ArchiveGtids gtids(*archive, limit_, [this] { return client_.socket.ended(); });
  if (const auto history = gtids.history_at(position)) text = history->position().text();
  return text;
}

bool ArchiveFacts::wait_for_stream() {
  return wait_until([this] { return place() && !limit_.whole_groups().is_null(); });
}

}  // namespace binlane
