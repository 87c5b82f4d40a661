#include "shim/binlog_groups.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/heartbeat.h"
#include "shim/archive_gtids.h"
#include "shim/fixed_feed_limit.h"
#include "shim/stream_scan.h"

namespace binlane {
namespace {

// What is damaged from file `first` on; `end` is of file `last`.
std::string damage_of(const ArchivePlace& place, std::uint32_t first, std::uint32_t last,
                      FileEnd& end) {
  if (first == 0 || first > last) return {};
  const PosixBinlogFiles files(place.directory, place.basename);
  return find_damage(files, first, last, end);
}

// The groups of the files as they are, up to the first place that is not whole in each.
std::string read_whole_groups(const ArchivePlace& place, Position from, std::uint32_t last,
                              const std::function<bool(const BinlogGroup&)>& take) {
  // Every file counts as complete: what is torn at its end is no whole group.
  FixedFeedLimit limit;
  limit.set({last + 1, 0});
  GroupReader reader(place, limit);
  BinlogGroup group;
  for (std::uint32_t number = from.file; number <= last; ++number) {
    if (!reader.open({number, 0})) return reader.error();
    for (;;) {
      still_alive();
      const auto step = reader.next(group);
      if (step == GroupReader::Step::failed) return reader.error();
      if (step != GroupReader::Step::group) break;
      if (group.end > from && !take(group)) return {};
    }
  }
  return {};
}

}  // namespace

std::string read_groups(const ArchivePlace& place, Position from, std::uint32_t last,
                        const std::function<bool(const BinlogGroup&)>& take) {
  FileEnd end;
  std::string damage = damage_of(place, from.file, last, end);
  return damage.empty() ? read_whole_groups(place, from, last, take) : damage;
}

GroupSearch find_group(const ArchivePlace& place, std::uint32_t first, std::uint32_t last,
                       const GtidEntry& gtid) {
  GroupSearch search;
  FixedFeedLimit limit;
  limit.set({last + 1, 0});
  ArchiveGtids gtids(place, limit, [] { return false; });
  for (std::uint32_t number = last; number >= first && number > 0; --number) {
    const auto start = gtids.file_start(number);
    if (!start || !start->gtid_list) {
      if (number == last) continue;  // it has just begun
      search.problem = start ? place.file_name(number) + " has no Gtid_list" : gtids.error();
      return search;
    }
    bool before = false;  // the file begins behind it
    for (const GtidEntry& entry : *start->gtid_list) {
      before = before || (entry.domain == gtid.domain && entry.server_id == gtid.server_id &&
                          entry.sequence >= gtid.sequence);
    }
    if (before) continue;
    search.problem = read_whole_groups(place, {number, 0}, number, [&](const BinlogGroup& group) {
      const bool same = group.gtid.domain == gtid.domain &&
                        group.gtid.server_id == gtid.server_id &&
                        group.gtid.sequence == gtid.sequence;
      if (same) search.found = group;
      return !same;
    });
    if (search.found || !search.problem.empty()) return search;
    // Not in what can be read of the file. Is there more in it?
    FileEnd end;
    search.problem = damage_of(place, number, std::min(number + 1, last), end);
    if (search.problem.empty() && number == last && end.last_group_end < end.final_size)
      search.problem = fmt::format("{} ends within an event group, at {}: ask again",
                                   place.file_name(number), end.last_group_end);
    search.absent = search.problem.empty();
    return search;
  }
  search.problem = "the files do not reach back that far";
  return search;
}

}  // namespace binlane
