#include "shim/feed/binlog_groups.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "base/heartbeat.h"
#include "shim/binlog/binlog_files.h"
#include "shim/binlog/stream_scan.h"
#include "shim/feed/archive_gtids.h"
#include "shim/feed/fixed_feed_limit.h"

namespace binlane {
namespace {

// What is damaged from file `first` on; `end` is in file `last`.
std::string damage_of(const ArchivePlace& place, std::uint32_t first, std::uint32_t last,
                      FileEnd& end) {
  if (first == 0 || first > last) return {};
  return find_damage(*place.files, first, last, end);
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
                       const Gtid& gtid) {
  BL_ASSERT(!gtid.is_anonymous());
  const GtidGrammar grammar = gtid.mysql() != nullptr ? GtidGrammar::mysql : GtidGrammar::mariadb;
  GroupSearch search;
  FixedFeedLimit limit;
  limit.set({last + 1, 0});
  ArchiveGtids gtids(place, limit, [] { return false; });
  for (std::uint32_t number = last; number >= first && number > 0; --number) {
    const auto start = gtids.file_start(number);
    if (!start || !start->has_list()) {
      if (number == last) continue;  // it has just begun
      const char* const list = grammar == GtidGrammar::mysql ? "Previous_gtids" : "Gtid_list";
      search.problem =
          start ? fmt::format("{} has no {}", place.file_name(number), list) : gtids.error();
      return search;
    }
    if (start->grammar() != grammar) {
      search.problem =
          fmt::format("the files are those of a server with another kind of GTIDs ({})",
                      start->format.server_version);
      return search;
    }
    if (start->begins_after(gtid)) continue;
    search.problem = read_whole_groups(place, {number, 0}, number, [&](const BinlogGroup& group) {
      const bool same = group.gtid == gtid;
      if (same) search.found = group;
      return !same;
    });
    if (search.found || !search.problem.empty()) return search;
    // It is not in the readable part of the file. Does the file contain more?
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

GroupSearch find_group_end(const ArchivePlace& place, Position at) {
  GroupSearch search;
  const Position before{at.file, at.offset > 0 ? at.offset - 1 : 0};
  search.problem = read_whole_groups(place, before, at.file, [&](const BinlogGroup& group) {
    search.found = group;
    return false;
  });
  if (search.found || !search.problem.empty()) return search;
  FileEnd end;
  search.problem = damage_of(place, at.file, at.file, end);
  search.absent = search.problem.empty();
  return search;
}

}  // namespace binlane
