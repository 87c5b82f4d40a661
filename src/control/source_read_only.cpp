// SourceControl, the part that makes the server read-only and writable again: mode `fail` (S15), a
// fence (S18), what cannot be put on record (S18), a pause (S21), and the lifting last of all
// (S12).

#include <fcntl.h>
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "control/source_control.h"
#include "control/source_settings.h"
#include "storage/file_mode.h"

namespace binlane {
namespace {

constexpr std::uint64_t kLookNs = 500 * kNanosPerMilli;
// How long "SET GLOBAL read_only" may take until it is seen to wait in the server.
constexpr std::uint64_t kPendingNs = 500 * kNanosPerMilli;
constexpr std::chrono::milliseconds kPendingLook{2};
constexpr mode_t kMarkMode = kPrivateFileMode;

}  // namespace

std::string read_only_mark_path(const Config& config) {
  return config.data_dir + "/read_only.mark";
}

// Without waiting for it: the statement waits in the server for the commits that wait for a quorum,
// and lets no new ones through meanwhile (S15).
void SourceControl::ask_read_only() {
  made_read_only_ = true;
  read_only_setter_.begin();
}

// Makes the server read-only, and sees to it that it is. Empty when the server itself says so;
// otherwise why it is not yet.
std::string SourceControl::keep_read_only() {
  if (std::string problem = connect_commands(); !problem.empty()) return problem;
  const QueryResult found = command_connection_.query("SELECT @@GLOBAL.read_only");
  if (!found.ok() || found.rows.empty())
    return fmt::format("cannot read the server's read_only: {}", to_string(found.error));
  const bool before = std::exchange(read_only_seen_, found.rows[0][0] == "1");
  if (read_only_seen_ && !before) log::warning("read_only", "the server is read-only now");
  if (read_only_seen_) {
    made_read_only_ = true;
    return {};
  }
  std::string problem =
      read_only_setter_.state() == ReadOnlySetter::State::failed
          ? fmt::format("the server takes writes still: {}", read_only_setter_.problem())
          : "the server is being made read-only: that waits for the commits that wait for a "
            "quorum, "
            "and lets no new ones through";
  ask_read_only();
  return problem;
}

// S21, S18: a source that may have been replaced while it stood still, or that cannot put on record
// what is released, takes no writes.
void SourceControl::guard_writes(std::uint64_t pause_ns, std::uint64_t now_ns) {
  const bool waits = phase_ == Phase::running && fallback_ && !fallback_->degraded();
  if (pause_ns > 0 && !state_.origin.is_null() && guard_.woke_up(waits)) {
    read_only_until_answer_ |= !made_read_only_ && !read_only_;
    ask_read_only();
    log::error("paused", "this host stood still for {} ms: {}", pause_ns / kNanosPerMilli,
               guard_.reason());
    // Only sessions that begin from now on are answers.
    if (phase_ == Phase::running) end_incarnation({guard_.reason(), {}});
    next_guard_ns_ = 0;
  }
  if (guard_.unanswered() && phase_ == Phase::running && desk_) {
    for (std::size_t i = 0; i < desk_->size(); ++i) {
      if (desk_->session_of(i) != 0) guard_.answered();
    }
  }
  if (phase_ == Phase::running && fallback_)
    guard_.set_unrecorded(ledger_.failed() && (fallback_->blocked() || !fallback_->accounts() ||
                                               fallback_->phase() == FallbackPhase::refused));
  if (!guard_.closed()) {
    guard_problem_.clear();
    return;
  }
  if (now_ns < next_guard_ns_) return;
  next_guard_ns_ = now_ns + kLookNs;
  if (guard_problem_.empty()) log::error("read_only", "{}", guard_.reason());
  if (guard_.unrecorded()) read_only_until_answer_ = false;
  leave_read_only_mark();
  const std::string problem = keep_read_only();
  guard_problem_ = guard_.reason() + (problem.empty() ? std::string() : "; " + problem);
}

// A server without a replica's side beside it is made writable again only where this mark stands.
void SourceControl::leave_read_only_mark() {
  made_read_only_ = true;
  if (read_only_marked_) return;
  const FileDescriptor mark(::open(read_only_mark_path(config_).c_str(),
                                   O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, kMarkMode));
  read_only_marked_ = mark.is_open() && sync_directory(config_.data_dir) == 0;
  if (!read_only_marked_ && !read_only_mark_failed_)
    log::error("read_only", "cannot leave a mark that read_only is ours: {}", errno_text(errno));
  read_only_mark_failed_ = !read_only_marked_;  // said once
}

// S15: the statement waits behind the commits that wait for a quorum, and stops new ones meanwhile.
bool SourceControl::make_read_only() {
  leave_read_only_mark();
  read_only_until_answer_ = false;
  read_only_setter_.begin();
  const std::uint64_t until_ns = monotonic_ns() + kPendingNs;
  while (monotonic_ns() < until_ns) {
    const auto state = read_only_setter_.state();
    if (state == ReadOnlySetter::State::failed) {
      // Tried again for as long as it takes; the list of problems says it all the while.
      if (read_only_setter_.problem() != read_only_said_) {
        read_only_said_ = read_only_setter_.problem();
        log::error("read_only", "cannot make the server read-only, nothing is released: {}",
                   read_only_said_);
      }
      return false;
    }
    if (state == ReadOnlySetter::State::done || read_only_setter_.is_pending(poll_connection_)) {
      read_only_said_.clear();
      log::warning("read_only",
                   "the server takes no more writes: no quorum within the timeout (mode fail)");
      return true;
    }
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, kPendingLook, [this] { return stopping_; });
  }
  log::error("read_only", "the server has not begun to refuse writes; nothing is released");
  return false;
}

// A mark that stays makes the next start lift once more.
void SourceControl::remove_read_only_mark() {
  std::error_code error;
  std::filesystem::remove(read_only_mark_path(config_), error);
  made_read_only_ = read_only_marked_ = false;
}

// Last of all (S12): only when a quorum protects what is written from then on. A server without a
// replica's side beside it was made read-only by somebody else, for reasons of theirs, unless it
// was ourselves (mode `fail`).
void SourceControl::lift_read_only() {
  const bool ours = (read_only_ && replica_ != nullptr) || made_read_only_;
  if (!ours || phase_ != Phase::running || guard_.closed()) return;
  // What is under way would take force behind the lifting.
  if (read_only_setter_.state() == ReadOnlySetter::State::sending) return;
  // The phase and not the state, which shows SEMISYNC while mode `fail` closes the server.
  if (!fallback_->may_take_writes() && !read_only_until_answer_) return;
  const SqlError error = command_connection_.set_global("read_only", "0");
  if (!error.ok()) {
    if (problem_.empty()) {
      problem_ = fmt::format("cannot lift the server's read_only: {}", to_string(error));
      log::error("read_only", "{}", problem_);
    }
    return;
  }
  read_only_ = false;
  if (made_read_only_) {
    remove_read_only_mark();
  }
  problem_.clear();
  log::info("read_only", "the server takes writes now: {}",
            read_only_until_answer_ ? "a replica has answered that this host is the source still"
                                    : "a quorum protects them");
  read_only_until_answer_ = false;
}

}  // namespace binlane
