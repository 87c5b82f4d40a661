#include "sim_drain.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace binlane::sim {
namespace {

// The shortest back-off of DumpDrain.
constexpr std::uint64_t kRetryNs = 100 * kNanosPerMilli;
constexpr std::uint64_t kSocketNs = 20 * kNanosPerMicro;

}  // namespace

ServerRun run_of(const Mysqld& server) {
  ServerRun run;
  run.boot_id = "simulated";
  run.process.pid = server.run();
  run.process.start_ticks = server.run();
  return run;
}

SimDrain::SimDrain(const test::VirtualClock& clock, Mysqld& server, Register decide)
    : clock_(clock), server_(server), decide_(std::move(decide)) {}

void SimDrain::stop() {
  leave();
  server_.dump_reads(0);
  started_ = false;
}

void SimDrain::leave() {
  if (connected_ && server_.up() && server_.run() == run_) server_.end_dump();
  connected_ = false;
  acks_.clear();
}

void SimDrain::reconnect() {
  leave();
  retry_ns_ = 0;
}

DrainStatus SimDrain::status() const {
  DrainStatus status;
  status.state = connected_ ? DrainState::draining
                            : (started_ ? DrainState::backing_off : DrainState::stopped);
  status.start = start_;
  status.incarnation = incarnation_;
  status.position = position_;
  status.generation = generation_;
  status.connections = generation_;
  return status;
}

void SimDrain::acknowledge(const Position& position) {
  BL_ASSERT(connected_);
  acks_.push_back({clock_.time_ns + kSocketNs, position});
}

void SimDrain::turn() {
  if (!started_) return;
  server_.dump_reads(0);
  while (connected_ && !acks_.empty() && acks_.front().due_ns <= clock_.time_ns) {
    server_.on_ack(acks_.front().position);
    acks_.pop_front();
  }
  if (connected_ && (!server_.up() || server_.run() != run_)) {
    connected_ = false;
    acks_.clear();
    retry_ns_ = clock_.time_ns + kRetryNs;
  }
  if (!connected_ && !try_connect()) return;
  // After a RESET the dump thread waits at the end of a file that is gone.
  if (resets_ == server_.dump_generation())
    position_ = std::max(position_, server_.dump_reach(std::max(start_, position_)));
  server_.dump_reads(position_.file);
}

bool SimDrain::try_connect() {
  if (!server_.up() || clock_.time_ns < retry_ns_) return false;
  const auto registration = decide_(run_of(server_));
  if (!registration) return false;
  connected_ = true;
  ++generation_;
  incarnation_ = registration->incarnation;
  start_ = registration->start;
  run_ = server_.run();
  resets_ = server_.dump_generation();
  position_ = {};
  since_ns_ = clock_.time_ns;
  server_.register_dump(start_);
  return true;
}

}  // namespace binlane::sim
