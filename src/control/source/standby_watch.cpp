#include "control/source/standby_watch.h"

#include <utility>

#include "base/clock.h"
#include "base/log.h"

namespace binlane {
namespace {

constexpr std::uint64_t kReplicationLookNs = 2 * kNanosPerSecond;

}  // namespace

Status StandbyWatch::keep_semi_sync_off() {
  const Result<bool> was_on = server_.switch_off();
  if (!was_on.is_ok()) return was_on.status();
  if (was_on.value())
    log::warning(
        "standby",
        "this host is a standby, but the server's semi-sync was ON; Binlane has switched it OFF");
  return Status::ok();
}

void StandbyWatch::look_at_replication(std::uint64_t now_ns, std::uint16_t feed_port) {
  if (feed_port == 0) {
    seen_.clear();
    shown_.clear();
    return;
  }
  if (now_ns < next_ns_) return;
  next_ns_ = now_ns + kReplicationLookNs;
  std::string now = server_.replication_problem(feed_port);
  shown_ = seen_.empty() ? std::string() : now;
  seen_ = std::move(now);
}

}  // namespace binlane
