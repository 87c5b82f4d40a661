// RuleKeeper: which quorum rule is in force in one incarnation, and how it changes. [S4]
//
// If the configuration's rule differs from the one on record, both are in force at first: a quorum
// needs both. Every session then records the new rule on its replica. Once a set of replicas that
// satisfies both rules has the new one on record, and holds everything that the old rule alone had
// acknowledged, the new rule is in force alone. Source's control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/status.h"
#include "control/config/config.h"
#include "control/failover/host_role.h"
#include "control/stream/lane_handle.h"
#include "control/stream/rule_change.h"
#include "control/stream/session_manager.h"
#include "control/stream/source_state.h"

namespace binlane {

class RuleKeeper {
 public:
  // `source` is the configuration in force, whose rule may change. Both must outlive this object.
  RuleKeeper(const SourceConfig& source, RoleFile& role) : source_(source), role_(role) {}

  // Returns the rule for the incarnation that follows `before`, after putting it on record. Failed:
  // no incarnation may begin; `stored` is false if the disk is the reason.
  Result<QuorumRule> begin(const SourceState& before, bool& stored);
  // Begins the change to `next`, which is not in the configuration yet.
  Status change(const QuorumRule& next, LaneHandle& lane, SessionManager& sessions);
  // Ends the change once the new rule may be in force alone and is on record. A record that the
  // disk does not take is tried again every second.
  void settle(const SourceMarks& marks, LaneHandle& lane, SessionManager& sessions,
              std::uint64_t now_ns);
  // A change is in progress: the rule on record and the new one are both in force.
  bool open() const noexcept { return open_; }

 private:
  const SourceConfig& source_;
  RoleFile& role_;
  bool open_ = false;
  std::uint64_t number_ = 0;          // the lane's marks name the rule in force by this number
  Position must_cover_;               // everything before it was acknowledged by the old rule alone
  std::optional<RuleChange> change_;  // a change that began in this incarnation
  std::uint64_t next_record_ns_ = 0;
};

}  // namespace binlane
