#include "dataplane/lane/lane.h"

#include <pthread.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <utility>

#include "base/assert.h"
#include "base/error.h"
#include "base/log.h"
#include "base/sleep.h"
#include "dataplane/port/eal.h"

namespace binlane {

Lane::Lane(Options options, std::vector<LaneAgent> agents)
    : options_(std::move(options)), agents_(std::move(agents)) {
  BL_ASSERT(!agents_.empty());
  for (const LaneAgent& agent : agents_) BL_ASSERT(agent.do_work && agent.batch);
}

Lane::~Lane() {
  stop();
}

void Lane::start() {
  BL_ASSERT(!thread_.joinable());
  std::promise<void> attached;
  std::future<void> done = attached.get_future();
  thread_ = std::thread([this, &attached] { run(attached); });
  done.get();
}

void Lane::stop() {
  stopping_.store(true, std::memory_order_relaxed);
  if (thread_.joinable()) thread_.join();
}

void Lane::run(std::promise<void>& attached) {
  ::pthread_setname_np(::pthread_self(), options_.name.substr(0, 15).c_str());
  if (options_.cpu >= 0) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(static_cast<std::size_t>(options_.cpu), &cpus);
    const int error = ::pthread_setaffinity_np(::pthread_self(), sizeof cpus, &cpus);
    if (error != 0)
      log::warning("lane_not_pinned", "lane {} cannot be pinned to processor {}: {}", options_.name,
                   options_.cpu, errno_text(error));
  }
  // Without this the kernel may end a sleep up to 50 us late (the default timer slack).
  constexpr unsigned long kTimerSlackNs = 1;
  if (::prctl(PR_SET_TIMERSLACK, kTimerSlackNs) != 0)
    log::warning("timer_slack", "lane {}: sleeps last longer than they should: {}", options_.name,
                 errno_text(errno));
  const EalThread registration;
  try {
    for (const LaneAgent& agent : agents_) {
      if (agent.attach) agent.attach();
    }
  } catch (...) {  // reported to the thread that started the lane
    attached.set_exception(std::current_exception());
    return;
  }
  attached.set_value();
  IdleStrategy idle(options_.idle, options_.nap_us);
  while (!stopping_.load(std::memory_order_relaxed)) {
    std::size_t work = 0;
    std::size_t batch = 0;
    for (const LaneAgent& agent : agents_) {
      work += agent.do_work();
      batch = std::max(batch, agent.batch());
    }
    turns_.store(turns_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    idle.after_turn(work, batch, [this](std::uint64_t length_ns) { nap(length_ns); });
  }
}

// A write's completion ends the sleep.
void Lane::nap(std::uint64_t length_ns) const {
  for (const LaneAgent& agent : agents_) {
    if (agent.wait && agent.wait(length_ns)) return;
  }
  sleep_for_ns(length_ns);
}

}  // namespace binlane
