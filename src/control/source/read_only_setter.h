// ReadOnlySetter: makes the server read-only without waiting for it.
//
// The statement (SET GLOBAL read_only=1, in MySQL super_read_only=1) waits until the commits that
// wait for a quorum have ended, and blocks new ones meanwhile. [S15] So this class sends it on a
// connection and a thread of its own, and its caller checks the progress. begin() and state()
// belong to one ordinary thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "control/source/source_server.h"
#include "shim/server/server_connection.h"

namespace binlane {

class ReadOnlySetter {
 public:
  using State = ReadOnlyState;

  explicit ReadOnlySetter(ServerAccount account);
  // Interrupts a statement in progress.
  ~ReadOnlySetter();
  ReadOnlySetter(const ReadOnlySetter&) = delete;
  ReadOnlySetter& operator=(const ReadOnlySetter&) = delete;

  // Sends the statement, unless that is in progress. If no thread can be started, the state is
  // failed.
  void begin();
  State state() const noexcept { return state_.load(std::memory_order_acquire); }
  std::string problem() const;
  // Asks the server, on another connection, whether the statement waits in it. While it does, the
  // server accepts no new commit.
  bool is_pending(ServerConnection& other) const;
  // Whether the statement of the connection `id` waits, as SHOW PROCESSLIST has it. Pure.
  static bool waits_in(const QueryResult& processes, std::string_view id);

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
