// RegistrationGate: where the dump connection may register with the server, decided by control and
// asked by the drain's thread. [S3]
//
// A connection that is made later begins where the quorum of this incarnation is at that time,
// because the earlier place may be purged. If it was purged before the incarnation began, or the
// stream is unproven, registering waits until the quorum is proven beyond, because it would be an
// ACK of everything that is missing. Another run of the server is a new incarnation first.
//
// `Run` names a run of the server: run.is_same_as(other).
#pragma once

#include <mutex>
#include <optional>
#include <utility>

#include "shim/server/registration.h"

namespace binlane {

template <class Run>
class RegistrationGate {
 public:
  // --- control thread
  void open(const Registration& registration, const Run& run, bool held) {
    const std::lock_guard lock(mutex_);
    registration_ = registration;
    run_ = run;
    held_ = held;
    server_changed_ = false;
  }
  void close() {
    const std::lock_guard lock(mutex_);
    registration_.reset();
  }
  // A quorum has everything before `quorum`; the stream's first remaining byte is in `first_file`.
  // Returns true if a connection that was held back may be made from now on.
  bool raise(const Position& quorum, std::uint32_t first_file) {
    const std::lock_guard lock(mutex_);
    if (!registration_ || quorum <= registration_->start) return false;
    registration_->start = quorum;
    const bool was_held = std::exchange(held_, held_ && quorum.file < first_file);
    return was_held && !held_;
  }
  // The drain has met another run of the server since the last call.
  bool take_server_changed() {
    const std::lock_guard lock(mutex_);
    return std::exchange(server_changed_, false);
  }

  // --- drain's thread: where to register with the present server; nothing: not yet.
  std::optional<Registration> ask(const Run& run) {
    const std::lock_guard lock(mutex_);
    if (!registration_ || held_) return std::nullopt;
    if (run.is_same_as(run_)) return registration_;
    server_changed_ = true;
    registration_.reset();
    return std::nullopt;
  }

 private:
  std::mutex mutex_;
  std::optional<Registration> registration_;
  Run run_;
  bool held_ = false;
  bool server_changed_ = false;
};

}  // namespace binlane
