#include "control/fallback/fenced_watch.h"

namespace binlane {
namespace {

// A counter that went back was reset (FLUSH STATUS), and has grown to its present value since.
bool grew(std::uint64_t before, std::uint64_t now) {
  return now > before || (now < before && now > 0);
}

}  // namespace

void FencedWatch::begin(const ServerCounters& known, bool status_on) {
  counters_ = known;
  looked_ = false;  // an ACK from before may still count
  status_on_ = status_on;
}

void FencedWatch::begin_run(const std::optional<ServerCounters>& known) {
  counters_ = known;
  looked_ = false;
  status_on_ = false;
}

bool FencedWatch::let_go(const ServerCounters& now, bool status_on) const {
  const ServerCounters before = counters_.value_or(now);
  return grew(before.no_tx, now.no_tx) || grew(before.no_times, now.no_times) ||
         // Nothing acknowledges here, so a KILLed commit counts as acknowledged.
         (looked_ && grew(before.yes_tx, now.yes_tx)) || (status_on_ && !status_on);
}

void FencedWatch::taken(const ServerCounters& now, bool status_on) {
  counters_ = now;
  looked_ = true;
  status_on_ = status_on;
}

}  // namespace binlane
