// AuditLog: who asked this daemon to change what, and what came of it: one JSON object a line in
// data_dir/audit.jsonl, on stable storage before write() returns, and a line in the log
// (event=audit). Each request has two lines: "asked" before it is carried out, and "done",
// "refused" or "begun" afterwards; the end of what was begun is a third line. Any thread.
//
// logrotate keeps the file short, by time. Without logrotate it is bounded all the same: a full
// file becomes audit.jsonl.before, and replaces the file that has that name already.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "control/admin/admin_requests.h"
#include "storage/file_util.h"

namespace binlane {

class AuditLog {
 public:
  // Requests are cut to this length.
  static constexpr std::size_t kMaxRequestBytes = 1024;

  // Of each of the two files.
  static constexpr std::uint64_t kMaxFileBytes = std::uint64_t{64} << 20;

  // Appends to the file, or creates it. Throws StartupError.
  explicit AuditLog(std::string path, std::uint64_t max_file_bytes = kMaxFileBytes);
  // Returns nothing, or why the entry is not recorded; AdminRequests decides whether the request is
  // served all the same.
  std::string write(const AuditEntry& entry);
  // Any thread: what was begun has ended. `refusal` is empty if it was done.
  void ended(std::string_view verb, std::string_view refusal);
  // Any thread: why the last line could not be written; empty if it could.
  std::string failure() const;
  // Any thread: of the file.
  std::uint64_t bytes() const noexcept { return bytes_; }
  // Continues in the file that has this name now, after logrotate has renamed the previous one.
  void reopen();

 private:
  int open_file() const;
  void append(const nlohmann::ordered_json& line);
  void begin_anew();
  void take(FileDescriptor file);

  const std::string path_;
  const std::uint64_t max_file_bytes_;
  FileDescriptor file_;
  std::atomic<int> error_ = 0;  // of the last line
  std::atomic<std::uint64_t> bytes_ = 0;
  std::mutex mutex_;
  bool torn_ = false;  // the last line was cut off; guarded by mutex_
};

}  // namespace binlane
