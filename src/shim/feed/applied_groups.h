// AppliedGroups: which of the event groups that a server was fed it has executed, told from its
// gtid_slave_pos. No I/O, no clock; one thread owns it.
//
// Groups are counted in the order of the binlog, so a server that executes domains side by side
// never shows more than an unbroken beginning. Bounded: whoever feeds it stops while it is full.
#pragma once

#include <cstddef>
#include <deque>

#include "base/position.h"
#include "shim/gtid_position.h"

namespace binlane {

class AppliedGroups {
 public:
  static constexpr std::size_t kCapacity = 1024;

  // Everything up to `end` is executed by a server that stands at `wanted`; `end` only grows.
  void add(GtidPosition wanted, Position end);
  bool full() const noexcept { return waiting_.size() >= kCapacity; }
  bool empty() const noexcept { return waiting_.empty(); }
  // What the server has to reach for the first of them. Not while empty.
  const GtidPosition& next() const;
  // The server stands at `state`. The end of the last one in order that it has executed; null when
  // it is none.
  Position take_executed(const GtidPosition& state);

 private:
  struct Stretch {
    GtidPosition wanted;
    Position end;
  };
  std::deque<Stretch> waiting_;
};

}  // namespace binlane
