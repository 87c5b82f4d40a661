// fence_source(): what is done, and in which order, when a source is fenced. The simulator fences
// as control does.
//
// The order is the rule (S18): nothing that needs a disk comes before what keeps commits from being
// acknowledged. A disk that fails, or hangs, delays the records and not the fence.
#pragma once

#include <cstdint>
#include <string>

#include "base/canary.h"
#include "control/host_role.h"

namespace binlane {

// Why a source is fenced: the later term, or 0 and what an operator said.
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
// incarnation so that no quorum is handed out any more (end_incarnation(reason)), and puts on
// record from where on nobody looks at the server (record_fencing()). True when the role is on
// record too; otherwise put_on_record() is to be tried again.
template <class Host>
bool fence_source(RoleFile& role, const FenceCause& cause, Host& host) {
  host.ask_read_only();
  if (canary(Canary::fence_needs_disk) && role.store(fenced_role(role.state(), cause)) != 0) {
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
