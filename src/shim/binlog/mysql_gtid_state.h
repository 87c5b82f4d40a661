// MysqlGtidState: a set of MySQL GTIDs of fixed capacity, so that a lane can keep one: the set that
// a Previous_gtids event lists, and what the groups after it add.
//
// What finds no room is dropped, and overflow() says so; a state that overflowed is never compared.
// The set without a bound for lanes is MysqlGtidSet. A plain value of one thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "shim/binlog/mysql_gtid.h"

namespace binlane {

class MysqlGtidState {
 public:
  // A server's set names as many TSIDs as servers ever wrote to it, and has a gap only where GTIDs
  // were assigned by hand or are still being applied.
  static constexpr std::uint32_t kMaxTsids = 64;
  static constexpr std::uint32_t kMaxIntervals = 256;

  void clear() noexcept;
  // Finds the GTID after the one that was added last without a search.
  void add(const MysqlGtid& gtid) noexcept;
  // The interval must not be empty, and must lie within 1 to kMaxMysqlGno.
  void add(const MysqlTsid& tsid, GnoInterval interval) noexcept;

  // How often something found no room.
  std::uint64_t overflow() const noexcept { return overflow_; }
  bool contains(const MysqlGtid& gtid) const noexcept;
  // Both sides must not have overflowed.
  bool same_as(const MysqlGtidState& other) const noexcept;
  // A GTID that is here but not there, the first one of its interval; nothing if there is none.
  std::optional<MysqlGtid> missing_in(const MysqlGtidState& other) const noexcept;

 private:
  struct Interval {
    GnoInterval gnos;
    std::uint32_t tsid = 0;  // index
  };

  // Where it is; kMaxTsids if it is nowhere.
  std::uint32_t index_of(const MysqlTsid& tsid) const noexcept;
  // The first interval of this TSID that ends at `gno` or later, or where it would be inserted.
  std::uint32_t first_ending_at(std::uint32_t tsid, std::uint64_t gno) const noexcept;
  bool is_of(std::uint32_t at, std::uint32_t tsid) const noexcept {
    return at < interval_count_ && intervals_[at].tsid == tsid;
  }
  void insert(std::uint32_t at, const Interval& interval) noexcept;
  void join_with_next(std::uint32_t at) noexcept;

  std::uint32_t tsid_count_ = 0;
  std::uint32_t interval_count_ = 0;
  std::uint32_t newest_ = 0;  // the interval to which was added last
  std::uint64_t overflow_ = 0;
  std::array<Interval, kMaxIntervals> intervals_{};  // by TSID's index, then in order
  std::array<MysqlTsid, kMaxTsids> tsids_{};         // in the order in which they came
};

}  // namespace binlane
