// AuditLog: who asked this daemon to change what, and what came of it: one JSON object a line in
// data_dir/audit.jsonl, on stable storage before write() returns, and a line in the log
// (event=audit). Each request stands there twice: as "asked" before it is carried out, and as
// "done", "refused" or "begun" afterwards; the end of what was begun is a third line. Any thread.
#pragma once

#include <atomic>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

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
  // Any thread: what was begun has ended. `refusal` is empty when it was done.
  void ended(std::string_view verb, std::string_view refusal);
  // Any thread: why the last line could not be written; empty while it could.
  std::string failure() const;
  // Goes on in the file that has this name now: logrotate has renamed the one before.
  void reopen();

 private:
  int open_file() const;
  void append(const nlohmann::ordered_json& line);

  const std::string path_;
  FileDescriptor file_;
  std::atomic<int> error_ = 0;  // of the last line
  std::mutex mutex_;
  bool torn_ = false;  // the last line was cut off; guarded by mutex_
};

}  // namespace binlane
