// ReadOnlySetter: makes the server read-only without waiting for it.
//
// SET GLOBAL read_only=1 waits behind the commits that wait for a quorum (safety rule S15), and
// blocks new ones while it waits. So it is sent on a connection and a thread of its own; whoever
// began it looks at how far it has got. begin() and state() belong to one ordinary thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "shim/server_connection.h"

namespace binlane {

class ReadOnlySetter {
 public:
  enum class State : std::uint8_t {
    idle,
    sending,  // under way; it may be waiting in the server
    done,     // the server is read-only
    failed    // problem() says why
  };

  explicit ReadOnlySetter(ServerAccount account);
  // Breaks off what is under way.
  ~ReadOnlySetter();
  ReadOnlySetter(const ReadOnlySetter&) = delete;
  ReadOnlySetter& operator=(const ReadOnlySetter&) = delete;

  // Sends the statement, unless that is under way. Where no thread can be started, it has failed.
  void begin();
  State state() const noexcept { return state_.load(std::memory_order_acquire); }
  std::string problem() const;
  // Asks the server, on another connection, whether the statement waits in it: then no new commit
  // gets through any more.
  bool is_pending(ServerConnection& other) const;

 private:
  void run();
  void fail(std::string problem);

  ServerConnection connection_;
  std::atomic<State> state_{State::idle};
  std::atomic<std::uint64_t> connection_id_{0};
  mutable std::mutex mutex_;
  std::string problem_;
  std::thread thread_;
};

}  // namespace binlane
