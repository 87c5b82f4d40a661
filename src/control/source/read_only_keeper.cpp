#include "control/source/read_only_keeper.h"

#include <fmt/format.h>

#include <utility>

#include "base/assert.h"
#include "base/error.h"
#include "base/log.h"

namespace binlane {
namespace {

// How long stop_commits() waits until it sees the request for read_only wait in the server.
constexpr std::uint64_t kPendingNs = 500 * kNanosPerMilli;
constexpr std::uint64_t kPendingPollNs = 2 * kNanosPerMilli;

}  // namespace

ReadOnlyKeeper::ReadOnlyKeeper(SourceServer& server, DurableMark& mark, const TimeSource& time,
                               Wait wait)
    : server_(server), mark_(mark), time_(time), wait_(std::move(wait)), made_(mark.is_set()) {}

void ReadOnlyKeeper::ask() {
  made_ = true;
  server_.begin_read_only();
}

Status ReadOnlyKeeper::keep() {
  if (Status connected = server_.connect_commands(); !connected.is_ok()) return connected;
  const Result<bool> found = server_.is_read_only();
  if (!found.is_ok())
    return Status::failed(
        fmt::format("cannot read the server's read_only: {}", found.status().text()));
  const bool before = std::exchange(seen_, found.value());
  if (seen_ && !before) log::warning("read_only", "the server is now read-only");
  if (seen_) {
    made_ = true;
    return Status::ok();
  }
  std::string problem =
      server_.read_only_state() == ReadOnlyState::failed
          ? fmt::format("the server still takes writes: {}", server_.read_only_failure())
          : "the server is becoming read-only: it accepts no new commits, and finishes those that "
            "wait for a quorum first";
  ask();
  return Status::failed(std::move(problem));
}

bool ReadOnlyKeeper::stop_commits() {
  leave_mark();
  until_answer_ = false;
  server_.begin_read_only();
  const std::uint64_t until_ns = time_.now_ns() + kPendingNs;
  do {
    const ReadOnlyState state = server_.read_only_state();
    if (state == ReadOnlyState::failed) {
      // Control tries again as often as necessary, and the list of problems shows it all the while.
      if (server_.read_only_failure() != said_) {
        said_ = server_.read_only_failure();
        log::error(
            "read_only",
            "cannot make the server read-only, so no commit is released without a quorum: {}",
            said_);
      }
      return false;
    }
    if (state == ReadOnlyState::done || server_.read_only_waits()) {
      said_.clear();
      log::warning(
          "read_only",
          "the server accepts no new commits, because no quorum answered within timeout_ms (mode "
          "fail)");
      return true;
    }
  } while (wait_(kPendingPollNs) && time_.now_ns() < until_ns);
  log::error(
      "read_only",
      "the server has not begun to refuse writes, so no commit is released without a quorum");
  return false;
}

// On a host without a replica's side, only this mark allows Binlane to lift read_only after a
// restart.
void ReadOnlyKeeper::leave_mark() {
  made_ = true;
  if (mark_.is_set()) return;
  const int error = mark_.set();
  if (error != 0 && !mark_failed_)
    log::error(
        "read_only",
        "cannot record that Binlane made the server read-only, so after a restart it may have to "
        "be lifted by hand: {}",
        errno_text(error));
  mark_failed_ = error != 0;
}

// If the mark cannot be removed, the next start lifts read_only once more.
void ReadOnlyKeeper::forget() {
  static_cast<void>(mark_.clear());
  made_ = false;
}

Status ReadOnlyKeeper::lift() {
  if (server_.read_only_state() == ReadOnlyState::sending) return Status::pending();
  if (Status lifted = server_.lift_read_only(); !lifted.is_ok())
    return Status::failed(fmt::format("cannot lift the server's read_only: {}", lifted.text()));
  log::info("read_only", "the server takes writes now, because {}",
            until_answer_ ? "a replica has answered that this host is still the source"
                          : "a quorum protects them");
  if (made_) forget();
  until_answer_ = false;
  BL_ASSERT(!made_);
  return Status::ok();
}

}  // namespace binlane
