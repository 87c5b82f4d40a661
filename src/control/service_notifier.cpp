#include "control/service_notifier.h"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>

#include "base/clock.h"
#include "base/log.h"

namespace binlane {
namespace {

// The watchdog is fed this many times in its time.
constexpr std::uint64_t kFeedsPerTimeout = 3;

}  // namespace

ServiceNotifier::ServiceNotifier(std::function<std::vector<std::uint64_t>()> turns)
    : turns_(std::move(turns)) {
  std::uint64_t timeout_us = 0;
  if (::sd_watchdog_enabled(0, &timeout_us) <= 0 || timeout_us < kFeedsPerTimeout) return;
  thread_ = std::thread([this, timeout_us] { feed(timeout_us / kFeedsPerTimeout); });
}

ServiceNotifier::~ServiceNotifier() {
  ::sd_notify(0, "STOPPING=1");
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void ServiceNotifier::ready(const std::string& status) {
  ::sd_notify(0, fmt::format("READY=1\nSTATUS={}", status).c_str());
}

void ServiceNotifier::reloading() {
  ::sd_notify(
      0, fmt::format("RELOADING=1\nMONOTONIC_USEC={}", monotonic_ns() / kNanosPerMicro).c_str());
}

// A lane that has stood still since the last feed gets none: systemd restarts the daemon, and the
// server's own timeout ends the waits meanwhile.
void ServiceNotifier::feed(std::uint64_t interval_us) {
  std::vector<std::uint64_t> before = turns_();
  std::unique_lock lock(mutex_);
  while (
      !wake_.wait_for(lock, std::chrono::microseconds(interval_us), [this] { return stopping_; })) {
    std::vector<std::uint64_t> now = turns_();
    const bool all_turn =
        std::equal(now.begin(), now.end(), before.begin(), before.end(), std::greater<>());
    if (all_turn)
      ::sd_notify(0, "WATCHDOG=1");
    else
      log::error("lanes_stand_still", "a lane has not turned for {} ms: the watchdog is not fed",
                 interval_us / kNanosPerMicro);
    before = std::move(now);
  }
}

}  // namespace binlane
