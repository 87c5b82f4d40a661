// AuditLog: who asked this daemon to change what, and what came of it: one JSON object a line in
// data_dir/audit.jsonl, on stable storage before write() returns, and a line in the log
// (event=audit). Each request stands there twice: as "asked" before it is carried out, and as
// "done" or "refused" afterwards. Any thread.
#pragma once

#include <atomic>
#include <mutex>
#include <string>

#include "control/admin_requests.h"
#include "storage/file_util.h"

namespace binlane {

class AuditLog {
 public:
  // Requests are cut to this length.
  static constexpr std::size_t kMaxRequestBytes = 1024;

  // Appends to the file, or makes it. Throws StartupError.
  explicit AuditLog(std::string path);
  // Empty, or why the entry is not on record; whether the request is served all the same is up to
  // AdminRequests.
  std::string write(const AuditEntry& entry);
  // Any thread: why the last line could not be written; empty while it could.
  std::string failure() const;
  // Goes on in the file that has this name now: logrotate has renamed the one before.
  void reopen();

 private:
  int open_file() const;

  const std::string path_;
  std::mutex mutex_;
  FileDescriptor file_;
  std::atomic<int> error_ = 0;  // of the last line
  bool torn_ = false;           // the last line was cut off
};

}  // namespace binlane
