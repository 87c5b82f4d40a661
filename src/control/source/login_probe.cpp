#include "control/login_probe.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/start_thread.h"
#include "shim/server_facts.h"

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
  // Without one, the next look is as good.
  if (!start_thread(thread_, [this] { run(); }).empty())
    busy_.store(false, std::memory_order_relaxed);
}

void LoginProbe::run() {
  if (std::optional<std::string> problem = look()) {
    const std::lock_guard lock(mutex_);
    if (*problem != problem_) {
      if (problem->empty())
        log::info("login", "a new connection of our account would do again");
      else
        log::error("login_failed", "{}", *problem);
    }
    problem_ = std::move(*problem);
  }
  busy_.store(false, std::memory_order_release);
}

// The library's own errors, as opposed to the server's, say nothing about the account.
std::optional<std::string> LoginProbe::look() {
  ServerFactsResult account;
  account.error = connection_.connect();
  if (account.ok()) account = read_account_facts(connection_);
  connection_.close();
  if (account.error.is_connection_failure()) return std::nullopt;
  if (!account.ok())
    return fmt::format(
        "our account cannot log in to the server any more, only connections that exist already go "
        "on: {}",
        to_string(account.error));
  const std::optional<Finding> missing = find_missing_privileges(account.facts);
  if (!missing) return std::string();
  return fmt::format(
      "our account has lost privileges, only connections that exist already have them still: {}",
      to_string(*missing));
}

std::string LoginProbe::problem() const {
  const std::lock_guard lock(mutex_);
  return problem_;
}

}  // namespace binlane
