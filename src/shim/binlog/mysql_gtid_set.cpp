#include "shim/binlog/mysql_gtid_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/assert.h"
#include "shim/binlog/mysql_gtid_text.h"

namespace binlane {
namespace {

using Intervals = MysqlGtidSet::Intervals;

// Sorts them and joins those that overlap or touch.
void normalise(Intervals& intervals) {
  std::ranges::sort(intervals, {}, &GnoInterval::begin);
  std::size_t kept = 0;
  for (const GnoInterval& interval : intervals) {
    BL_ASSERT(interval.begin > 0 && interval.begin < interval.end);
    if (kept > 0 && intervals[kept - 1].end >= interval.begin)
      intervals[kept - 1].end = std::max(intervals[kept - 1].end, interval.end);
    else
      intervals[kept++] = interval;
  }
  intervals.resize(kept);
}

// The first interval that ends after `gno`.
Intervals::const_iterator first_ending_after(const Intervals& intervals, std::uint64_t gno) {
  return std::ranges::upper_bound(intervals, gno, {}, &GnoInterval::end);
}

bool contains_all(const Intervals& intervals, const GnoInterval& wanted) {
  const auto found = first_ending_after(intervals, wanted.begin);
  return found != intervals.end() && found->begin <= wanted.begin && found->end >= wanted.end;
}

Intervals without(const Intervals& from, const Intervals& removed) {
  Intervals left;
  auto cut = removed.begin();
  for (GnoInterval rest : from) {
    while (cut != removed.end() && cut->end <= rest.begin) ++cut;
    for (auto next = cut; next != removed.end() && next->begin < rest.end; ++next) {
      if (next->begin > rest.begin) left.push_back({rest.begin, next->begin});
      rest.begin = std::max(rest.begin, next->end);
      if (rest.begin >= rest.end) break;
    }
    if (rest.begin < rest.end) left.push_back(rest);
  }
  return left;
}

// "-" and what follows it, after an interval's first number; an interval that ends before it begins
// is empty, as in MySQL.
std::optional<GnoInterval> take_interval(MysqlGtidText& in) {
  const auto first = in.take_number();
  if (!first || *first == 0) return std::nullopt;
  if (!in.take('-')) return GnoInterval{*first, *first + 1};
  const auto last = in.take_number();
  if (!last) return std::nullopt;
  return GnoInterval{*first, std::max(*first, *last + 1)};
}

}  // namespace

std::optional<MysqlGtidSet> MysqlGtidSet::parse(std::string_view text) {
  std::map<MysqlTsid, Intervals> found;
  std::size_t count = 0;
  MysqlGtidText in(text);
  for (;;) {
    while (in.take(',')) {
    }
    if (in.at_end()) break;
    const auto uuid = in.take_uuid();
    if (!uuid) return std::nullopt;
    MysqlTsid tsid{*uuid, {}};
    while (in.take(':')) {
      // A tag is that of all intervals up to the next tag.
      if (const auto tag = in.take_tag()) {
        tsid.tag = *tag;
        continue;
      }
      const auto interval = take_interval(in);
      if (!interval || ++count > kMaxIntervals) return std::nullopt;
      if (interval->begin < interval->end) found[tsid].push_back(*interval);
    }
    if (!in.at_end() && !in.take(',')) return std::nullopt;
  }
  MysqlGtidSet set;
  for (const auto& [tsid, intervals] : found) set.merge(tsid, intervals);
  return set;
}

std::string MysqlGtidSet::text() const {
  return text_with(",");
}

std::string MysqlGtidSet::server_text() const {
  return text_with(",\n");
}

std::string MysqlGtidSet::text_with(std::string_view separator) const {
  std::string text;
  const Uuid* previous = nullptr;
  for (const auto& [tsid, intervals] : by_tsid_) {
    if (previous == nullptr || *previous != tsid.uuid) {
      if (previous != nullptr) text += separator;
      text += to_string(tsid);
    } else {
      text.append(":").append(tsid.tag.text());
    }
    previous = &tsid.uuid;
    for (const GnoInterval& interval : intervals) {
      fmt::format_to(std::back_inserter(text), ":{}", interval.begin);
      if (interval.end > interval.begin + 1)
        fmt::format_to(std::back_inserter(text), "-{}", interval.end - 1);
    }
  }
  return text;
}

bool MysqlGtidSet::contains(const MysqlGtid& gtid) const noexcept {
  const auto found = by_tsid_.find(gtid.tsid);
  return found != by_tsid_.end() && contains_all(found->second, {gtid.gno, gtid.gno + 1});
}

bool MysqlGtidSet::covers(const MysqlGtidSet& other) const noexcept {
  return std::ranges::all_of(other.by_tsid_, [this](const auto& entry) {
    const auto found = by_tsid_.find(entry.first);
    return found != by_tsid_.end() &&
           std::ranges::all_of(entry.second, [&found](const GnoInterval& wanted) {
             return contains_all(found->second, wanted);
           });
  });
}

bool MysqlGtidSet::add(const MysqlGtid& gtid) {
  const std::uint64_t gno = gtid.gno;
  BL_ASSERT(is_mysql_gno(gno));
  const auto found = by_tsid_.find(gtid.tsid);
  if (found != by_tsid_.end()) {
    Intervals& intervals = found->second;
    const auto at = std::ranges::lower_bound(intervals, gno, {}, &GnoInterval::end);
    if (at != intervals.end() && at->begin <= gno) {
      if (gno < at->end) return true;
      ++at->end;
      // It may have been the whole gap before the next one.
      const auto next = at + 1;
      if (next != intervals.end() && next->begin == at->end) {
        at->end = next->end;
        intervals.erase(next);
        --size_;
      }
      return true;
    }
    if (at != intervals.end() && at->begin == gno + 1) {
      at->begin = gno;
      return true;
    }
    if (size_ == kMaxIntervals) return false;
    intervals.insert(at, {gno, gno + 1});
  } else {
    if (size_ == kMaxIntervals) return false;
    by_tsid_[gtid.tsid].push_back({gno, gno + 1});
  }
  ++size_;
  return true;
}

bool MysqlGtidSet::add(const MysqlGtidSet& other) {
  MysqlGtidSet sum = *this;
  for (const auto& [tsid, intervals] : other.by_tsid_) sum.merge(tsid, intervals);
  if (sum.size_ > kMaxIntervals) return false;
  *this = std::move(sum);
  return true;
}

MysqlGtidSet MysqlGtidSet::minus(const MysqlGtidSet& other) const {
  MysqlGtidSet left;
  for (const auto& [tsid, intervals] : by_tsid_) {
    const auto removed = other.by_tsid_.find(tsid);
    Intervals rest =
        removed == other.by_tsid_.end() ? intervals : without(intervals, removed->second);
    if (rest.empty()) continue;
    left.size_ += rest.size();
    left.by_tsid_.emplace(tsid, std::move(rest));
  }
  return left;
}

MysqlGtidSet MysqlGtidSet::of(const Uuid& uuid) const {
  MysqlGtidSet part;
  for (const auto& [tsid, intervals] : by_tsid_) {
    if (tsid.uuid != uuid) continue;
    part.size_ += intervals.size();
    part.by_tsid_.emplace(tsid, intervals);
  }
  return part;
}

void MysqlGtidSet::merge(const MysqlTsid& tsid, const Intervals& more) {
  if (more.empty()) return;
  Intervals& intervals = by_tsid_[tsid];
  size_ -= intervals.size();
  intervals.insert(intervals.end(), more.begin(), more.end());
  normalise(intervals);
  size_ += intervals.size();
}

}  // namespace binlane
