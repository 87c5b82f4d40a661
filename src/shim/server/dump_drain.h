// DumpDrain: the ordinary thread that keeps a dump connection to the source's server open and
// drained, and passes on what it learns from it.
//
//
//   → lane     the positions whose ACK the server asks for (queue), the descriptor to send ACKs on
//   → control  the newest dump position (the raw material of `synced`, see SyncedConfirmer), the
//              connection's state with its reason
//
// It discards the bytes themselves, because the replicas get them earlier, from the file. It
// reconnects by itself, with a bounded back-off. Before every attempt it asks control where to
// register, so control decides what to do after a restart of the server or in a new incarnation.
// [S3]
//
// It does not notice a RESET MASTER: the server's dump thread continues to wait at the end of the
// deleted file, without an error. The tailer notices, and control then calls reconnect().
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
#include "shim/binlog/shared_position.h"
#include "shim/server/ack_socket.h"
#include "shim/server/drain_event.h"
#include "shim/server/dump_connection.h"
#include "shim/server/dump_stream.h"

namespace binlane {

struct DumpDrainOptions {
  ServerAccount account;
  DumpStreamOptions stream;
  std::uint64_t backoff_min_ms = 100;
  std::uint64_t backoff_max_ms = 5000;
};

class DumpDrain final : public DumpConnection {
 public:
  static constexpr std::size_t kQueueCapacity = 256;

  // Called on the drain thread before each registration.
  using Register = DumpConnection::Register;

  DumpDrain(DumpDrainOptions options, Register decide);
  ~DumpDrain() override;
  DumpDrain(const DumpDrain&) = delete;
  DumpDrain& operator=(const DumpDrain&) = delete;

  void start() override;
  // Ends the thread promptly. The lane has detached before, or still takes its turns: the
  // descriptor is closed only after the lane has returned it.
  void stop() override;
  void retry_now() override;
  void reconnect() override;

  // Lane.
  AckSocket& ack_socket() noexcept { return ack_socket_; }
  bool try_pop(DrainEvent& event) noexcept { return queue_.try_pop(event); }

  // Any thread.
  Position dump_position() const noexcept override { return dump_position_.load(); }
  DrainStatus status() const override;

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
  std::string said_;  // the last reason in the log since a connection was established
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
