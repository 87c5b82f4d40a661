// LoginProbe: whether our account can still log in to the server.
//
// Connections that exist already go on after the account's password was changed or the account was
// locked, so nothing else notices before the next break, and then neither ACK nor OFF reaches the
// server. So one login is tried anew from time to time, on a thread of its own, because a server
// that hangs would keep its caller waiting. Only what the server answers counts: that it cannot be
// reached at all is seen by those who hold connections. poll() and problem() belong to one ordinary
// thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "base/clock.h"
#include "shim/server_connection.h"

namespace binlane {

class LoginProbe {
 public:
  static constexpr std::uint64_t kEveryNs = 5 * kNanosPerSecond;

  explicit LoginProbe(ServerAccount account) : connection_(std::move(account)) {}
  // Breaks off what is under way.
  ~LoginProbe();
  LoginProbe(const LoginProbe&) = delete;
  LoginProbe& operator=(const LoginProbe&) = delete;

  // Begins a login when it is time and none is under way.
  void poll(std::uint64_t now_ns);
  // Why the last login that the server has answered was refused; empty while it was not.
  std::string problem() const;

 private:
  void run();

  ServerConnection connection_;
  std::uint64_t next_ns_ = 0;
  std::atomic<bool> busy_{false};
  mutable std::mutex mutex_;
  std::string problem_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace binlane
