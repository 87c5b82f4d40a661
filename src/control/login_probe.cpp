#include "control/login_probe.h"

#include "base/log.h"
#include "base/start_thread.h"

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
  const SqlError error = connection_.connect();
  connection_.close();
  // The library's own errors, as opposed to the server's, say nothing about the account.
  if (error.ok() || !error.is_connection_failure()) {
    std::string problem = error.ok() ? std::string() : to_string(error);
    const std::lock_guard lock(mutex_);
    if (problem != problem_) {
      if (problem.empty())
        log::info("login", "our account can log in to the server again");
      else
        log::error("login_failed",
                   "our account cannot log in to the server any more, only connections that exist "
                   "already go on: {}",
                   problem);
    }
    problem_ = std::move(problem);
  }
  busy_.store(false, std::memory_order_release);
}

std::string LoginProbe::problem() const {
  const std::lock_guard lock(mutex_);
  return problem_;
}

}  // namespace binlane
