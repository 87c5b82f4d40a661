#include "shim/feed/applied_groups.h"

#include <utility>

#include "base/assert.h"

namespace binlane {

void AppliedGroups::add(GtidSet wanted, Position end) {
  BL_ASSERT(!full());
  BL_ASSERT(waiting_.empty() || waiting_.back().end <= end);
  waiting_.push_back({std::move(wanted), end});
}

const GtidSet& AppliedGroups::next() const {
  BL_ASSERT(!waiting_.empty());
  return waiting_.front().wanted;
}

Position AppliedGroups::take_executed(const GtidSet& state) {
  Position executed;
  while (!waiting_.empty() && state.covers(waiting_.front().wanted)) {
    executed = waiting_.front().end;
    waiting_.pop_front();
  }
  return executed;
}

}  // namespace binlane
