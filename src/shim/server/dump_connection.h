// DumpConnection: our own connection to the source's server on which it sends its binlog and takes
// our ACKs, as control sees it. DumpDrain keeps it in the daemon, and the simulator has its own.
//
// It connects again by itself. Before every registration it asks whoever gave it a Register where
// to begin (safety rule S3). Any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/position.h"
#include "shim/server/registration.h"
#include "shim/server/server_facts.h"

namespace binlane {

enum class DrainState { stopped, connecting, holding, registering, draining, backing_off };
const char* to_string(DrainState state) noexcept;

struct DrainStatus {
  DrainState state = DrainState::stopped;
  std::string reason;  // why the last connection ended or was not made; empty while draining
  std::uint32_t error_code = 0;
  Position start;  // where the newest registration began
  std::uint32_t incarnation = 0;
  Position position;
  std::uint32_t generation = 0;
  std::uint64_t attempts = 0;
  std::uint64_t connections = 0;     // registrations that the server accepted
  std::uint64_t kicked_out = 0;      // a replica with our server_id took our place
  std::uint64_t start_retreats = 0;  // the asked position was refused; began at the file's start
  std::uint64_t events = 0;
  std::uint64_t bytes = 0;
  std::uint64_t heartbeats = 0;
  std::uint64_t acks_wanted = 0;
  std::uint64_t queue_full = 0;
};

class DumpConnection {
 public:
  // Given the run of the server that is there now: where and for which incarnation to register, or
  // nothing: not now (control is still settling a new incarnation).
  using Register = std::function<std::optional<Registration>(const ServerRun&)>;

  virtual ~DumpConnection() = default;

  virtual void start() = 0;
  virtual void stop() = 0;
  // Does not wait out the back-off, tries again now.
  virtual void retry_now() = 0;
  // Gives the connection up and registers anew (control wants another start).
  virtual void reconnect() = 0;
  virtual DrainStatus status() const = 0;
  // Everything before it was sent to us by the server; null before the first event of a connection.
  virtual Position dump_position() const = 0;
};

}  // namespace binlane
