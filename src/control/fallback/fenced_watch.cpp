#include "control/fallback/fenced_watch.h"

#include "base/counter_growth.h"

namespace binlane {

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
  return counter_growth(before.no_tx, now.no_tx) > 0 ||
         counter_growth(before.no_times, now.no_times) > 0 ||
         // Nothing acknowledges here, so a KILLed commit counts as acknowledged.
         (looked_ && counter_growth(before.yes_tx, now.yes_tx) > 0) || (status_on_ && !status_on);
}

void FencedWatch::taken(const ServerCounters& now, bool status_on) {
  counters_ = now;
  looked_ = true;
  status_on_ = status_on;
}

}  // namespace binlane
