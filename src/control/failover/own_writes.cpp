#include "control/failover/own_writes.h"

#include <fmt/format.h>

#include "base/mutant.h"
#include "control/failover/host_role.h"

namespace binlane {

Status OwnWrites::look(std::uint64_t now_ns) {
  if (!begun_ns_) begun_ns_ = now_ns;
  const Result<StandbyServer::Positions> found = server_.positions();
  const bool covered =
      BL_MUTANT(own_writes_ignored, found.is_ok(),
                found.is_ok() && server_.covers(found.value().executed, found.value().written));
  if (!covered && now_ns < *begun_ns_ + kPatienceNs) return Status::pending();
  reset();
  found_some_ = found.is_ok() && !covered;
  if (covered) return Status::ok();
  if (!found.is_ok())
    return Status::failed(
        fmt::format("this host's server does not answer: waited for {}", found.status().text()));
  const std::string& own = found.value().own;
  return Status::failed(fmt::format(
      "this host's server has written transactions of its own{}: as a replica it has executed {}, "
      "but its binlog is at {}. Rebuild it",
      own.empty() ? "" : fmt::format(" ({})", shown_gtids(own)),
      shown_gtids(found.value().executed), shown_gtids(found.value().written)));
}

}  // namespace binlane
