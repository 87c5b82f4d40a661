// fence_source(): what is done, and in which order, when a source is fenced. The simulator fences
// as control does.
//
// The order is the rule: nothing that needs a disk comes before what keeps commits from being
// acknowledged. A disk that fails, or hangs, delays the records and not the fence. [S18]
#pragma once

#include <cstdint>
#include <string>

#include "base/mutant.h"
#include "control/failover/host_role.h"

namespace binlane {

// Why a source is fenced: the later term, or 0 and the operator's reason.
struct FenceCause {
  std::uint32_t term = 0;
  std::string reason;
};

inline RoleState fenced_role(const RoleState& before, const FenceCause& cause) {
  RoleState role = before;
  role.role = HostRole::fenced;
  role.fenced_by = cause.term;
  role.fence_reason = cause.reason;
  return role;
}

// `host` asks the server for read_only without waiting for it (ask_read_only()), ends the
// incarnation so that no quorum is given any more (end_incarnation(reason)), and records from where
// on nobody looks at the server (record_fencing()). Returns true if the role is recorded too;
// otherwise put_on_record() has to be tried again.
template <class Host>
bool fence_source(RoleFile& role, const FenceCause& cause, Host& host) {
  host.ask_read_only();
  if (BL_MUTANT(fence_needs_disk, role.store(fenced_role(role.state(), cause)) != 0, false)) {
    host.end_incarnation(cause.reason);
    return false;
  }
  role.hold(fenced_role(role.state(), cause));
  host.end_incarnation(cause.reason);
  const bool on_record = role.put_on_record() == 0;
  host.record_fencing();
  return on_record;
}

}  // namespace binlane
