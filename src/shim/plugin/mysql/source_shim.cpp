// SPDX-License-Identifier: GPL-2.0-only
#include "shim/plugin/mysql/source_shim.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/binlog_number.h"
#include "base/clock.h"

namespace binlane {

using shim_page::Entry;
using shim_page::Orders;
using shim_page::Place;
using shim_page::Settings;
using shim_page::State;
using shim_page::WaitEnd;
using shim_page::WaitPoint;

namespace {

// How long a wait spins before it sleeps: what two context switches cost.
constexpr std::uint64_t kSpinNs = 10 * kNanosPerMicro;
// How long KILL, a shutdown and an uninstallation may go unnoticed by a wait.
constexpr std::uint64_t kNapNs = 20 * kNanosPerMilli;
// An attempt fails only if the other side wrote within its few nanoseconds.
constexpr int kListenAttempts = 1'000;

std::string text_of(const Place& place) {
  return "file number " + std::to_string(place.file) + ", pos: " + std::to_string(place.offset);
}

bool waits_after_commit(const Settings& variables, const Orders& orders) {
  if (orders.wait_point == WaitPoint::unsaid) return variables.after_commit;
  return orders.wait_point == WaitPoint::after_commit;
}

// The server's own timeout is the backstop: a daemon can make a wait shorter, never longer. [S13]
std::uint64_t timeout_ms(const Settings& variables, const Orders& orders) {
  if (orders.timeout_ms == 0) return variables.timeout_ms;
  return std::min(variables.timeout_ms, orders.timeout_ms);
}

}  // namespace

// What ends one wait from this side. The deadline is computed once, when the wait begins.
class SourceShim::Limits {
 public:
  Limits(SourceShim& shim, std::uint64_t timeout_ms)
      : shim_(shim), begun_ns_(monotonic_ns()), end_ns_(begun_ns_ + timeout_ms * kNanosPerMilli) {}

  bool now() {
    now_ns_ = monotonic_ns();
    if (!shim_.is_on())
      why_ = Stop::off;
    else if (shim_.server_.is_killed())
      why_ = Stop::kill;
    else if (shim_.server_.is_shutting_down())
      why_ = Stop::shutdown;
    else if (now_ns_ >= end_ns_)
      why_ = Stop::timeout;
    else if (!shim_.variables().wait_no_replica)
      shim_.refresh();
    return why_ != Stop::none;
  }
  bool spin() const { return now_ns_ - begun_ns_ < kSpinNs; }
  std::uint64_t nap_ns() const { return std::min(kNapNs, end_ns_ - now_ns_); }

  Stop why() const { return why_; }
  std::uint64_t waited_us() const { return (monotonic_ns() - begun_ns_) / kNanosPerMicro; }

 private:
  SourceShim& shim_;
  const std::uint64_t begun_ns_;
  const std::uint64_t end_ns_;
  std::uint64_t now_ns_ = 0;
  Stop why_ = Stop::none;
};

SourceShim::SourceShim(std::unique_ptr<shim_page::PageFile> file, HostServer& server,
                       const Settings& variables)
    : file_(std::move(file)), page_(file_->page()), server_(server) {
  written_ = begin_server(atomics_, page_, static_cast<std::uint64_t>(::getpid()));
  set(variables);
}

void SourceShim::set(const Settings& variables) {
  const bool was_enabled = this->variables().enabled;
  variables_.store(variables.pack());
  if (variables.enabled && !was_enabled) {
    server_.log("Semi-sync replication enabled on the source.");
    // As the server's own: a daemon that is not there yet is waited for, if so chosen.
    if (variables.wait_no_replica && !leaving_.load()) on_.store(true);
  } else if (!variables.enabled && was_enabled) {
    switch_off("it was disabled");
    server_.log("Semi-sync replication disabled on the source.");
  }
  show_settings();
}

void SourceShim::flushed(const char* file_name, std::uint64_t offset) {
  if (file_name == nullptr || offset == 0) return;
  refresh();  // before the ring: has a quorum everything that was written until now?
  written_ = next_place(written_, binlog_file_number(file_name), offset);
  ring(atomics_, page_, written_);
}

void SourceShim::synced(const char* file_name, std::uint64_t offset) {
  arrive(file_name, offset, true);
}

void SourceShim::committed(const char* file_name, std::uint64_t offset) {
  arrive(file_name, offset, false);
}

void SourceShim::arrive(const char* file_name, std::uint64_t offset, bool is_group) {
  if (file_name == nullptr || offset == 0 || !variables().enabled) return;
  const std::optional<Said> said = listen();
  if (!said) return go_on_without("the shared page cannot be read");
  const Orders& orders = said->answer.orders;
  const Place place{said->written.incarnation, binlog_file_number(file_name), offset};
  if (is_group == waits_after_commit(variables(), orders)) {
    // Not the wait point. At AFTER_SYNC the group has waited, unless KILL ended that or the wait
    // point was changed meanwhile. [S8]
    const bool is_late = !is_group && is_on() && place <= said->written;
    if (!is_late || judge(said->answer, place)) return;
  }
  if (place > said->written) return go_on_without("its binlog was reset meanwhile");
  wait(place, orders, is_group);
}

void SourceShim::leave() {
  leaving_.store(true);
  switch_off("the plugin is being uninstalled");
}

std::optional<SourceShim::Said> SourceShim::listen() {
  for (int attempt = 0; attempt < kListenAttempts; ++attempt) {
    const auto answer = read(atomics_, page_.answer);
    const auto written = read(atomics_, page_.doorbell);
    if (answer && written) return Said{answer->entry, written->entry.place};
    atomics_.relax();
  }
  return std::nullopt;
}

void SourceShim::refresh() {
  const Settings now = variables();
  const std::optional<Said> heard = listen();
  if (!now.enabled || leaving_.load() || !heard) return;
  const Said& said = *heard;
  const bool is_current = said.answer.place.incarnation == said.written.incarnation;
  const bool is_alive = daemon_is_alive(atomics_, page_, monotonic_ns());
  const bool is_degraded = is_current && said.answer.orders.state == State::do_not_wait;
  const bool lacks_replicas =
      !now.wait_no_replica && (!is_alive || said.answer.orders.clients < now.replica_count);
  if (on_.load()) {
    if (is_degraded)
      switch_off("binlaned asks for no wait");
    else if (lacks_replicas)
      switch_off(is_alive ? "too few replicas are connected" : "binlaned does not answer");
  } else if (is_current && is_alive && !is_degraded && !lacks_replicas &&
             said.answer.place >= said.written) {
    switch_on(said.answer.place);
  }
}

void SourceShim::switch_on(const Place& place) {
  if (on_.exchange(true)) return;
  show_settings();
  server_.log("Semi-sync replication switched ON at (" + text_of(place) + ").");
}

void SourceShim::switch_off(const std::string& why) {
  if (!on_.exchange(false)) return;
  atomics_.add(page_.server.went_off, 1);
  show_settings();
  wake_waiters(atomics_, page_);
  server_.log("Semi-sync replication switched OFF: " + why + ".");
}

void SourceShim::show_settings() {
  const std::lock_guard lock(mutex_);
  Settings shown = variables();
  shown.on = on_.load();
  atomics_.store(page_.server.settings, shown.pack());
}

// On the page before the client hears of it. [S8]
void SourceShim::go_on_without(const std::string& why) {
  atomics_.add(page_.server.exposed, 1);
  if (!why.empty()) server_.log("A commit goes on without a quorum: " + why + ".");
}

void SourceShim::wait(const Place& place, const Orders& orders, bool is_group) {
  if (!is_on()) return go_on_without("");
  Limits limits(*this, timeout_ms(variables(), orders));
  const std::optional<Said> said = listen();
  const bool is_waiting = !said || !judge(said->answer, place);
  if (is_waiting) {
    atomics_.add(page_.server.waits_now, 1);
    server_.begin_stage();
  }
  const WaitEnd end = wait_for_quorum(atomics_, page_, place, limits);
  if (is_waiting) {
    server_.end_stage();
    atomics_.add(page_.server.waits_now, -1);
    const std::lock_guard lock(mutex_);
    wait_us_.record(limits.waited_us());
  }
  switch (end) {
    case WaitEnd::quorum:
      yes_tx_.fetch_add(1);
      return;
    case WaitEnd::not_asked:
      go_on_without("");
      return switch_off("binlaned asks for no wait");
    case WaitEnd::other_incarnation:
      return go_on_without("its binlog was reset meanwhile");
    case WaitEnd::stopped:
      break;
  }
  // Its members wait at after_commit, where the killed one's own is counted.
  if (limits.why() == Stop::kill && is_group) return;
  go_on_without("");
  if (limits.why() == Stop::shutdown)
    switch_off("Forced shutdown. Some updates might not be replicated");
  if (limits.why() != Stop::timeout) return;
  const std::optional<Said> last = listen();
  server_.log("Timeout waiting for reply of binlog (" + text_of(place) + "), semi-sync up to " +
              (last ? text_of(last->answer.place) : "nowhere") + ".");
  switch_off("a wait took longer than the timeout");
}

SourceStatus SourceShim::status() {
  refresh();
  SourceStatus status;
  status.on = on_.load();
  if (const std::optional<Said> said = listen())
    if (daemon_is_alive(atomics_, page_, monotonic_ns()))
      status.clients = said->answer.orders.clients;
  status.yes_tx = yes_tx_.load();
  status.no_tx = atomics_.load(page_.server.exposed);
  status.no_times = atomics_.load(page_.server.went_off);
  status.wait_sessions = atomics_.load(page_.server.waits_now);
  const std::lock_guard lock(mutex_);
  status.tx_waits = wait_us_.count();
  status.tx_wait_time_us = wait_us_.sum();
  status.tx_avg_wait_time_us = wait_us_.count() == 0 ? 0 : wait_us_.sum() / wait_us_.count();
  status.wait_p50_us = wait_us_.quantile(0.5);
  status.wait_p99_us = wait_us_.quantile(0.99);
  return status;
}

}  // namespace binlane
