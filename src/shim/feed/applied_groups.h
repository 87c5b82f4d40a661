// AppliedGroups: which of the event groups that a server was fed it has executed, as its
// gtid_slave_pos or gtid_executed tells. No I/O, no clock; one thread owns it.
//
// Groups are counted in the order of the binlog, so a server that executes domains side by side
// never shows more than an unbroken beginning. Bounded: the caller that feeds it stops while it is
// full.
#pragma once

#include <cstddef>
#include <deque>

#include "base/position.h"
#include "shim/binlog/gtid_set.h"

namespace binlane {

class AppliedGroups {
 public:
  static constexpr std::size_t kCapacity = 1024;

  // A server that has executed `wanted` has executed everything up to `end`; `end` only grows.
  void add(GtidSet wanted, Position end);
  bool full() const noexcept { return waiting_.size() >= kCapacity; }
  bool empty() const noexcept { return waiting_.empty(); }
  // What the server has to reach for the first of them. Not while empty.
  const GtidSet& next() const;
  // The server has executed `state`. Returns the end of the last one in order that it has executed;
  // null if there is none.
  Position take_executed(const GtidSet& state);

 private:
  struct Stretch {
    GtidSet wanted;
    Position end;
  };
  std::deque<Stretch> waiting_;
};

}  // namespace binlane
