#include "control/daemon/service_notifier.h"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <utility>

#include "base/clock.h"
#include "base/log.h"

namespace binlane {
namespace {

// How many times the watchdog is fed in its interval.
constexpr std::uint64_t kFeedsPerTimeout = 3;
// How often the summary is checked. A transition is shown this much later at most.
constexpr std::uint64_t kShowNs = 500 * kNanosPerMilli;

constexpr std::uint64_t kLastWordsTimeoutUs = 2'000'000;

std::uint64_t feed_interval_ns() {
  std::uint64_t timeout_us = 0;
  if (::sd_watchdog_enabled(0, &timeout_us) <= 0) return 0;
  return timeout_us * kNanosPerMicro / kFeedsPerTimeout;
}

}  // namespace

ServiceNotifier::ServiceNotifier(std::function<WatchedThreads()> threads,
                                 std::function<std::string()> summary)
    : threads_(std::move(threads)), summary_(std::move(summary)) {
  if (std::getenv("NOTIFY_SOCKET") == nullptr) return;
  thread_ = std::thread([this] { run(feed_interval_ns()); });
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

void ServiceNotifier::ready() {
  std::string summary = summary_();
  const std::lock_guard lock(mutex_);
  ::sd_notify(0, fmt::format("READY=1\nSTATUS={}", summary).c_str());
  shown_ = std::move(summary);
}

void ServiceNotifier::last_words(std::string why) {
  std::replace(why.begin(), why.end(), '\n', ' ');
  if (::sd_notify(0, fmt::format("STATUS={}", why).c_str()) > 0)
    ::sd_notify_barrier(0, kLastWordsTimeoutUs);
}

void ServiceNotifier::reloading() {
  ::sd_notify(
      0, fmt::format("RELOADING=1\nMONOTONIC_USEC={}", monotonic_ns() / kNanosPerMicro).c_str());
}

void ServiceNotifier::run(std::uint64_t feed_ns) {
  watchdog_.look(threads_());
  std::uint64_t next_feed_ns = monotonic_ns() + feed_ns;
  const std::uint64_t turn_ns = feed_ns == 0 ? kShowNs : std::min(kShowNs, feed_ns);
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, std::chrono::nanoseconds(turn_ns), [this] { return stopping_; })) {
    lock.unlock();
    if (feed_ns != 0 && monotonic_ns() >= next_feed_ns) {
      next_feed_ns = monotonic_ns() + feed_ns;
      feed();
    }
    show();
    lock.lock();
  }
}

// While a thread hangs the watchdog is not fed: systemd restarts the daemon, and meanwhile the
// server's own timeout ends the waits.
void ServiceNotifier::feed() {
  const Watchdog::Hanging hanging = watchdog_.look(threads_());
  if (hanging.lanes.empty() && hanging.threads.empty()) ::sd_notify(0, "WATCHDOG=1");
  if (!hanging.lanes.empty())
    log::error("lanes_stand_still",
               "systemd's watchdog is not fed, because these have not turned: {}",
               fmt::join(hanging.lanes, ", "));
  if (!hanging.threads.empty())
    log::error("threads_hang", "systemd's watchdog is not fed, because these have not turned: {}",
               fmt::join(hanging.threads, ", "));
}

void ServiceNotifier::show() {
  std::string summary = summary_();
  const std::lock_guard lock(mutex_);
  if (summary == shown_) return;
  ::sd_notify(0, fmt::format("STATUS={}", summary).c_str());
  shown_ = std::move(summary);
}

}  // namespace binlane
