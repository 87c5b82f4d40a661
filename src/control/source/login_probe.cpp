#include "control/source/login_probe.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/start_thread.h"
#include "shim/server/server_facts.h"

namespace binlane {

LoginProbe::~LoginProbe() {
  connection_.interrupt();
  if (thread_.joinable()) thread_.join();
}

void LoginProbe::poll(std::uint64_t now_ns) {
  if (now_ns < next_ns_ || busy_.load(std::memory_order_acquire)) return;
  next_ns_ = now_ns + kEveryNs;
  if (thread_.joinable()) thread_.join();
  busy_.store(true, std::memory_order_relaxed);
  // If no thread can be started, the next poll tries again.
  if (!start_thread(thread_, [this] { run(); }).empty())
    busy_.store(false, std::memory_order_relaxed);
}

void LoginProbe::run() {
  if (std::optional<std::string> problem = probe()) {
    const std::lock_guard lock(mutex_);
    if (*problem != problem_) {
      if (problem->empty())
        log::info("login", "our account can log in to the server again");
      else
        log::error("login_failed", "{}", *problem);
    }
    problem_ = std::move(*problem);
  }
  busy_.store(false, std::memory_order_release);
}

// Errors of the client library say nothing about the account; only the server's errors do.
std::optional<std::string> LoginProbe::probe() {
  ServerFactsResult account;
  account.error = connection_.connect();
  const bool logged_in = account.ok();
  if (logged_in) has_logged_in_ = true;
  if (logged_in) account = read_account_facts(connection_);
  connection_.close();
  if (account.error.is_connection_failure()) return std::nullopt;
  if (!logged_in) {
    return fmt::format(
        "our account {}: {}. server_user and server_password_file must match the account; at the "
        "server ALTER USER sets its password or unlocks it",
        has_logged_in_ ? "can no longer log in to the server; only connections that are already "
                         "open still work"
                       : "cannot log in to the server",
        to_string(account.error));
  }
  if (!account.ok())
    return "the privileges of our account cannot be read: " + to_string(account.error);
  const std::optional<Finding> missing = find_missing_privileges(account.facts);
  if (missing) {
    return fmt::format("our account {}: {}",
                       had_privileges_ ? "has lost privileges; only connections that are already "
                                         "open still have them"
                                       : "lacks privileges",
                       to_string(*missing));
  }
  had_privileges_ = true;
  return std::string();
}

std::string LoginProbe::problem() const {
  const std::lock_guard lock(mutex_);
  return problem_;
}

}  // namespace binlane
