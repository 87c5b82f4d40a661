#include "control/admin/audit_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/wall_clock.h"
#include "storage/file_mode.h"

namespace binlane {
namespace {

constexpr mode_t kFileMode = kPrivateFileMode;
constexpr const char* kBefore = ".before";

std::string_view result_text(const AuditEntry& entry) {
  if (entry.stage == AuditStage::asked) return "asked";
  if (!entry.error.empty()) return "refused";
  return entry.stage == AuditStage::begun ? "begun" : "done";
}

}  // namespace

AuditLog::AuditLog(std::string path, std::uint64_t max_file_bytes)
    : path_(std::move(path)), max_file_bytes_(max_file_bytes) {
  FileDescriptor file(open_file());
  if (!file.is_open())
    throw StartupError(fmt::format("audit log {}: cannot open: {}", path_, errno_text(errno)));
  take(std::move(file));
}

// A link in the file's place is not ours.
int AuditLog::open_file() const {
  return ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, kFileMode);
}

void AuditLog::take(FileDescriptor file) {
  file_ = std::move(file);
  torn_ = false;
  struct stat facts {};
  bytes_ = ::fstat(file_.get(), &facts) == 0 ? static_cast<std::uint64_t>(facts.st_size) : 0;
}

// The caller holds the mutex. If the file cannot be renamed, it keeps growing under its own name.
void AuditLog::begin_anew() {
  const std::string before = path_ + kBefore;
  const bool renamed = ::rename(path_.c_str(), before.c_str()) == 0;
  // No file has that name: another program has rotated it, and binlaned has not been told yet.
  if (!renamed && errno != ENOENT) return;
  FileDescriptor file(open_file());
  if (file.is_open()) {
    take(std::move(file));
    static_cast<void>(sync_directory(parent_directory(path_)));
  } else if (renamed) {
    static_cast<void>(::rename(before.c_str(), path_.c_str()));
  }
}

void AuditLog::reopen() {
  FileDescriptor file(open_file());
  const std::lock_guard lock(mutex_);
  if (file.is_open()) {
    take(std::move(file));
  } else {
    log::error("audit_failed", "cannot open {}: {}; the audit log continues in the old file", path_,
               errno_text(errno));
  }
}

std::string AuditLog::write(const AuditEntry& entry) {
  using nlohmann::ordered_json;
  std::string request = entry.request.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  request.resize(std::min(request.size(), kMaxRequestBytes));
  const std::string_view result = result_text(entry);
  append({{"at", wall_clock_text()},
          {"uid", entry.peer.uid},
          {"pid", entry.peer.pid},
          {"verb", entry.verb},
          {"request", request},
          {"result", result},
          {"error", entry.error}});
  log::info("audit", "user {} (pid {}) asked for {}: {}", entry.peer.uid, entry.peer.pid, request,
            entry.error.empty() ? result : entry.error);
  return failure();
}

void AuditLog::ended(std::string_view verb, std::string_view refusal) {
  append({{"at", wall_clock_text()},
          {"verb", verb},
          {"result", refusal.empty() ? "done" : "refused"},
          {"error", refusal}});
  log::info("audit", "{} has ended: {}", verb,
            refusal.empty() ? std::string_view("done") : refusal);
}

void AuditLog::append(const nlohmann::ordered_json& line) {
  using nlohmann::ordered_json;
  const std::lock_guard lock(mutex_);
  const std::string text = (torn_ ? "\n" : "") +
                           line.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
  if (bytes_ > 0 && bytes_ + text.size() > max_file_bytes_) begin_anew();
  // One write, so that lines of several daemons or of a rotation never mix.
  const ssize_t written = ::write(file_.get(), text.data(), text.size());
  const bool whole = written == static_cast<ssize_t>(text.size());
  // A line that was cut off met a full disk, or a limit on the file's size.
  int error = whole ? 0 : written < 0 ? errno : ENOSPC;
  if (written >= 0) torn_ = !whole;
  if (written > 0) bytes_ += static_cast<std::uint64_t>(written);
  if (whole && ::fdatasync(file_.get()) != 0) error = errno;
  error_ = error;
  if (error != 0) log::error("audit_failed", "{}", failure());
}

std::string AuditLog::failure() const {
  const int error = error_;
  return error == 0 ? std::string() : fmt::format("cannot write {}: {}", path_, errno_text(error));
}

}  // namespace binlane
