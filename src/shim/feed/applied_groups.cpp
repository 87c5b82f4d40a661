#include "shim/applied_groups.h"

#include <utility>

#include "base/assert.h"

namespace binlane {

void AppliedGroups::add(GtidPosition wanted, Position end) {
  BL_ASSERT(!full());
  BL_ASSERT(waiting_.empty() || waiting_.back().end <= end);
  waiting_.push_back({std::move(wanted), end});
}

const GtidPosition& AppliedGroups::next() const {
  BL_ASSERT(!waiting_.empty());
  return waiting_.front().wanted;
}

Position AppliedGroups::take_executed(const GtidPosition& state) {
  Position executed;
  while (!waiting_.empty() && covers(state, waiting_.front().wanted)) {
    executed = waiting_.front().end;
    waiting_.pop_front();
  }
  return executed;
}

}  // namespace binlane
