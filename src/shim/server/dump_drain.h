// DumpDrain: the ordinary thread that keeps a dump connection to the source's server open and
// drained, and tells the others what came down it.
//
//   → lane     the positions whose ACK the server asks for (queue), the descriptor to send ACKs on
//   → control  the newest dump position (the raw material of `synced`, see SyncedConfirmer), the
//              connection's state with its reason
//
// The bytes themselves are thrown away: binlog bytes reach the replicas from the file, earlier.
// Connects again by itself, with a bounded back-off; every attempt asks control where to register
// (safety rule S3), so that a restarted server or a new incarnation is control's decision.
//
// A RESET MASTER is not seen here: the server's dump thread goes on waiting at the end of the
// deleted file, without an error. The tailer sees it, and control then calls reconnect().
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/position.h"
#include "base/spsc_queue.h"
#include "shim/ack_socket.h"
#include "shim/drain_event.h"
#include "shim/dump_stream.h"
#include "shim/registration.h"
#include "shim/shared_position.h"

namespace binlane {

struct DumpDrainOptions {
  ServerAccount account;
  DumpStreamOptions stream;
  std::uint64_t backoff_min_ms = 100;
  std::uint64_t backoff_max_ms = 5000;
};

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

class DumpDrain {
 public:
  static constexpr std::size_t kQueueCapacity = 256;

  // Called on the drain thread before each registration with what the server is now; returns where
  // and for which incarnation to register, or nothing: not now (control is still settling a new
  // incarnation).
  using Register = std::function<std::optional<Registration>(const ServerFacts&)>;

  DumpDrain(DumpDrainOptions options, Register decide);
  ~DumpDrain();
  DumpDrain(const DumpDrain&) = delete;
  DumpDrain& operator=(const DumpDrain&) = delete;

  void start();
  // Ends the thread promptly. The lane has detached before, or still takes its turns: the
  // descriptor is closed only after it has let go.
  void stop();
  // Any thread: do not wait out the back-off, try again now.
  void retry_now();
  // Any thread: give the connection up and register anew (control wants another start).
  void reconnect();

  // Lane.
  AckSocket& ack_socket() noexcept { return ack_socket_; }
  bool try_pop(DrainEvent& event) noexcept { return queue_.try_pop(event); }
  // Any thread; null before the first event of a connection. Everything before it was sent to us by
  // the server.
  Position dump_position() const noexcept { return dump_position_.load(); }

  // Ordinary threads.
  DrainStatus status() const;

 private:
  void run();
  bool serve_one_connection();
  bool drain(DumpStream& stream, std::uint32_t incarnation, DumpError& error);
  void on_event(const DumpEvent& event);
  bool take_socket_back();
  void note_end(const DumpError& error, const DumpStream& stream);
  void set_state(DrainState state, const std::string& reason = {});
  bool wait(std::uint64_t duration_ms);

  const DumpDrainOptions options_;
  const Register decide_;

  AckSocket ack_socket_;
  SpscQueue<DrainEvent, kQueueCapacity> queue_;
  SharedPosition dump_position_;

  // The drain thread's own.
  DrainEvent wanted_;  // not yet in the queue; null: none
  std::uint32_t generation_ = 0;
  bool retreat_ = false;          // begin at the file's start next time
  std::uint64_t bytes_base_ = 0;  // of the connections before
  std::uint64_t backoff_ms_ = 0;
  std::string said_;  // the last reason in the log, since a connection stood
  std::uint64_t said_ns_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  bool woken_ = false;
  DumpStream* stream_ = nullptr;  // to interrupt it
  DrainStatus status_;
  // Counted without the mutex, at the events' pace.
  std::atomic<std::uint64_t> events_{0}, bytes_{0}, heartbeats_{0}, acks_wanted_{0}, queue_full_{0};
  std::thread thread_;
};

}  // namespace binlane
