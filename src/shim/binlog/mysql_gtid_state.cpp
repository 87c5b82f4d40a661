#include "shim/binlog/mysql_gtid_state.h"

#include <algorithm>

#include "base/assert.h"

namespace binlane {

void MysqlGtidState::clear() noexcept {
  tsid_count_ = 0;
  interval_count_ = 0;
  newest_ = 0;
  overflow_ = 0;
}

std::uint32_t MysqlGtidState::index_of(const MysqlTsid& tsid) const noexcept {
  for (std::uint32_t i = 0; i < tsid_count_; ++i) {
    if (tsids_[i] == tsid) return i;
  }
  return kMaxTsids;
}

std::uint32_t MysqlGtidState::first_ending_at(std::uint32_t tsid,
                                              std::uint64_t gno) const noexcept {
  const auto* const begin = intervals_.data();
  const auto* const found =
      std::partition_point(begin, begin + interval_count_, [&](const Interval& interval) {
        return interval.tsid < tsid || (interval.tsid == tsid && interval.gnos.end < gno);
      });
  return static_cast<std::uint32_t>(found - begin);
}

void MysqlGtidState::add(const MysqlGtid& gtid) noexcept {
  if (newest_ < interval_count_) {
    Interval& newest = intervals_[newest_];
    if (newest.gnos.end == gtid.gno && tsids_[newest.tsid] == gtid.tsid) {
      ++newest.gnos.end;
      join_with_next(newest_);
      return;
    }
  }
  add(gtid.tsid, {gtid.gno, gtid.gno + 1});
}

void MysqlGtidState::add(const MysqlTsid& tsid, GnoInterval interval) noexcept {
  BL_ASSERT(interval.begin > 0 && interval.begin < interval.end);
  BL_ASSERT(interval.end <= kMaxMysqlGno + 1);
  std::uint32_t index = index_of(tsid);
  if (index == kMaxTsids) {
    if (tsid_count_ == kMaxTsids || interval_count_ == kMaxIntervals) {
      ++overflow_;
      return;
    }
    index = tsid_count_++;
    tsids_[index] = tsid;
  }
  const std::uint32_t at = first_ending_at(index, interval.begin);
  if (!is_of(at, index) || intervals_[at].gnos.begin > interval.end) {
    insert(at, {interval, index});
    return;
  }
  GnoInterval& touched = intervals_[at].gnos;
  touched.begin = std::min(touched.begin, interval.begin);
  touched.end = std::max(touched.end, interval.end);
  newest_ = at;
  join_with_next(at);
}

void MysqlGtidState::insert(std::uint32_t at, const Interval& interval) noexcept {
  if (interval_count_ == kMaxIntervals) {
    ++overflow_;
    return;
  }
  std::copy_backward(intervals_.begin() + at, intervals_.begin() + interval_count_,
                     intervals_.begin() + interval_count_ + 1);
  intervals_[at] = interval;
  ++interval_count_;
  newest_ = at;
}

// The interval has grown, and may have reached those after it.
void MysqlGtidState::join_with_next(std::uint32_t at) noexcept {
  Interval& grown = intervals_[at];
  std::uint32_t next = at + 1;
  while (is_of(next, grown.tsid) && intervals_[next].gnos.begin <= grown.gnos.end) {
    grown.gnos.end = std::max(grown.gnos.end, intervals_[next].gnos.end);
    ++next;
  }
  if (next == at + 1) return;
  std::copy(intervals_.begin() + next, intervals_.begin() + interval_count_,
            intervals_.begin() + at + 1);
  interval_count_ -= next - at - 1;
}

bool MysqlGtidState::contains(const MysqlGtid& gtid) const noexcept {
  const std::uint32_t index = index_of(gtid.tsid);
  const std::uint32_t at = first_ending_at(index, gtid.gno + 1);
  return is_of(at, index) && intervals_[at].gnos.begin <= gtid.gno;
}

bool MysqlGtidState::same_as(const MysqlGtidState& other) const noexcept {
  return interval_count_ == other.interval_count_ && !missing_in(other) && !other.missing_in(*this);
}

std::optional<MysqlGtid> MysqlGtidState::missing_in(const MysqlGtidState& other) const noexcept {
  for (std::uint32_t i = 0; i < interval_count_; ++i) {
    const MysqlTsid& tsid = tsids_[intervals_[i].tsid];
    const GnoInterval& gnos = intervals_[i].gnos;
    const std::uint32_t index = other.index_of(tsid);
    const std::uint32_t at = other.first_ending_at(index, gnos.begin + 1);
    if (!other.is_of(at, index) || other.intervals_[at].gnos.begin > gnos.begin)
      return MysqlGtid{tsid, gnos.begin};
    if (other.intervals_[at].gnos.end < gnos.end)
      return MysqlGtid{tsid, other.intervals_[at].gnos.end};
  }
  return std::nullopt;
}

}  // namespace binlane
