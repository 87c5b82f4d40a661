// SimDrain: the dump connection of a simulated daemon to its simulated server. turn() stands for
// DumpDrain's thread.
#pragma once

#include <cstdint>
#include <deque>

#include "mysqld.h"
#include "shim/server/dump_connection.h"
#include "support/virtual_clock.h"

namespace binlane::sim {

// The name that a daemon gives to a run of its server.
ServerRun run_of(const Mysqld& server);

class SimDrain final : public DumpConnection {
 public:
  SimDrain(const test::VirtualClock& clock, Mysqld& server, Register decide);
  ~SimDrain() override { stop(); }
  SimDrain(const SimDrain&) = delete;
  SimDrain& operator=(const SimDrain&) = delete;

  // DumpConnection.
  void start() override { started_ = true; }
  void stop() override;
  void retry_now() override { retry_ns_ = 0; }
  void reconnect() override;
  DrainStatus status() const override;
  Position dump_position() const override { return position_; }

  void turn();
  std::uint64_t connected_since_ns() const { return since_ns_; }

  // --- the lane's side
  bool connected() const { return connected_; }
  std::uint32_t generation() const { return generation_; }
  std::uint32_t incarnation() const { return incarnation_; }
  // The ACK is in the socket; the server reads it a moment later.
  void acknowledge(const Position& position);

 private:
  struct Ack {
    std::uint64_t due_ns = 0;
    Position position;
  };
  void leave();
  bool try_connect();

  const test::VirtualClock& clock_;
  Mysqld& server_;
  const Register decide_;
  bool started_ = false;
  bool connected_ = false;
  std::uint32_t generation_ = 0;
  std::uint32_t incarnation_ = 0;
  Position start_;
  std::uint32_t run_ = 0;     // of the server
  std::uint64_t resets_ = 0;  // of the server, when the connection began
  Position position_;         // everything before it has arrived
  std::uint64_t since_ns_ = 0;
  std::uint64_t retry_ns_ = 0;
  std::deque<Ack> acks_;
};

}  // namespace binlane::sim
