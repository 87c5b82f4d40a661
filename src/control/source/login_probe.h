// LoginProbe: tests whether our account can still log in to the server, and has the privileges that
// a source needs.
//
// Existing connections keep working after somebody has changed the account's password, locked it,
// or revoked a privilege. Without this test nobody would notice until a connection breaks, and then
// neither ACK nor OFF would reach the server. So a login is tried every few seconds, on a thread of
// its own, because a server that hangs would block its caller. Only the server's own answer counts;
// the owners of the connections notice if the server cannot be reached. poll() and problem() belong
// to one ordinary thread. [S22]
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.h"
#include "shim/server/server_connection.h"

namespace binlane {

class LoginProbe {
 public:
  static constexpr std::uint64_t kEveryNs = 5 * kNanosPerSecond;

  explicit LoginProbe(ServerAccount account) : connection_(std::move(account)) {}
  // Interrupts a login in progress.
  ~LoginProbe();
  LoginProbe(const LoginProbe&) = delete;
  LoginProbe& operator=(const LoginProbe&) = delete;

  // Begins a login if it is due and none is in progress.
  void poll(std::uint64_t now_ns);
  // What is wrong with the account, as of the last login that the server has answered; or empty.
  std::string problem() const;

 private:
  void run();
  // Logs in once. Returns the problem, or an empty string; nothing if the server did not answer.
  std::optional<std::string> probe();

  ServerConnection connection_;
  // What an earlier login of this process has shown: who never could has lost nothing. Both belong
  // to the login in progress.
  bool has_logged_in_ = false;
  bool had_privileges_ = false;
  std::uint64_t next_ns_ = 0;
  std::atomic<bool> busy_{false};
  mutable std::mutex mutex_;
  std::string problem_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace binlane
