// SourceControl, the part that reads back from the server what it was told (S22).

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "control/source_control.h"

namespace binlane {

// Said once for each error; status and metric say it for as long as it lasts.
void SourceControl::note_failed_poll(const SqlError& error) {
  ++polls_failed_;
  std::string problem = to_string(error);
  if (problem == poll_problem_) return;
  poll_problem_ = std::move(problem);
  log::error("poll_failed", "the server's status cannot be read: {}", poll_problem_);
}

// After a look at the server: what it shows, against what it was told.
void SourceControl::read_back(std::uint64_t now_ns) {
  const DrainStatus drain = drain_.status();
  ServerWishes wishes;
  wishes.timeout_ms = source_.effective_server_timeout_ms();
  wishes.wait_point = source_.wait_point;
  wishes.read_only =
      made_read_only_ && source_.fallback == FallbackMode::fail && !fallback_->promises();
  wishes.registered =
      drain.state == DrainState::draining && drain.incarnation == state_.epoch.incarnation;
  for (const ServerWatch::Change& change :
       server_watch_.look(wishes, server_status_, commander_->names())) {
    if (change.differs)
      log::warning("server_setting_changed", "{}", change.text);
    else
      log::info("server_setting", "over: {}", change.text);
  }
  const auto due = server_watch_.due(now_ns);
  if (!due) return;
  const std::string failure = mend(*due);
  if (server_watch_.mended(*due, failure, now_ns))
    log::error("server_setting_not_set", "{}", failure);
  next_poll_ns_ = 0;  // whether it has helped
}

// Sets it again; empty, or why that failed.
std::string SourceControl::mend(ServerSetting setting) {
  SqlError error;
  switch (setting) {
    case ServerSetting::timeout:
      error =
          commander_->set_server_timeout(source_.effective_server_timeout_ms(), source_.timeout_ms);
      break;
    case ServerSetting::wait_point:
      error = commander_->set_wait_point(source_.wait_point);
      break;
    case ServerSetting::wait_no_replica:
      error = commander_->set_wait_no_replica(true);
      break;
    case ServerSetting::read_only: {
      // Without waiting for it (S15); how it went shows the next time.
      const bool failed = read_only_setter_.state() == ReadOnlySetter::State::failed;
      std::string failure = failed ? read_only_setter_.problem() : std::string();
      read_only_setter_.begin();
      return failure;
    }
    case ServerSetting::clients:
      return "it is not set by Binlane";
  }
  return error.ok() ? std::string() : to_string(error);
}

}  // namespace binlane
