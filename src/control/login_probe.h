// LoginProbe: whether our account can still log in to the server, and do there what a source must.
//
// Connections that exist already go on after the account's password was changed, the account was
// locked or a privilege was revoked, so nothing else notices before the next break, and then
// neither ACK nor OFF reaches the server. So one login is tried anew from time to time, on a thread
// of its own, because a server that hangs would keep its caller waiting. Only what the server
// answers counts: that it cannot be reached at all is seen by those who hold connections. poll()
// and problem() belong to one ordinary thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
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
  // What is wrong with the account, as of the last login that the server has answered; or empty.
  std::string problem() const;

 private:
  void run();
  // The same of a login now; nothing when the server did not answer.
  std::optional<std::string> look();

  ServerConnection connection_;
  std::uint64_t next_ns_ = 0;
  std::atomic<bool> busy_{false};
  mutable std::mutex mutex_;
  std::string problem_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace binlane
