#include "storage/durable_record.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/assert.h"
#include "base/error.h"
#include "storage/file_mode.h"
#include "storage/file_util.h"

namespace binlane {
namespace {

[[noreturn]] void fail(const std::string& path, const char* what, int code) {
  throw StartupError(fmt::format("{}: {}: {}", path, what, errno_text(code)));
}

// Makes an empty record appear at `path` in one step: afterwards either the complete file exists,
// or none.
void create(const std::string& path) {
  const std::string temporary = path + ".new";
  FileDescriptor file(::open(
      temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, kPrivateFileMode));
  if (!file.is_open()) fail(temporary, "cannot create the record", errno);
  // The second slot is zero until the first store.
  std::vector<std::byte> both = make_record_slot(0, {});
  both.resize(kRecordSize);
  int error = write_all(file.get(), both, 0);
  if (error != 0) fail(temporary, "cannot write the record", error);
  if (::fsync(file.get()) != 0) fail(temporary, "cannot sync the record", errno);
  if (::rename(temporary.c_str(), path.c_str()) != 0) fail(path, "cannot name the record", errno);
  error = sync_directory(parent_directory(path));
  if (error != 0) fail(path, "cannot sync the record's folder", error);
}

}  // namespace

bool DurableRecord::exists(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0) return true;
  if (errno != ENOENT) fail(path, "cannot check whether the record exists", errno);
  return false;
}

DurableRecord::DurableRecord(std::string path) : path_(std::move(path)) {
  if (!exists(path_)) create(path_);
  FileDescriptor file(::open(path_.c_str(), O_RDWR | O_DSYNC | O_CLOEXEC | O_NOFOLLOW));
  if (!file.is_open()) fail(path_, "cannot open the record", errno);
  if (const int error = lock_exclusively(file.get()); error != 0) {
    fail(path_, "the record is in use by another process, most likely a running binlaned", error);
  }
  // If the last process died inside a store, what is read below may be in the page cache or the
  // device's cache only. It must be durable before anything relies on it.
  if (::fdatasync(file.get()) != 0) fail(path_, "cannot sync the record", errno);
  std::vector<std::byte> both(kRecordSize);
  const std::int64_t count = read_all(file.get(), both, 0);
  if (count < 0) fail(path_, "cannot read the record", static_cast<int>(-count));
  std::string reason;
  std::optional<RecordContents> contents = read_record(both, reason);
  if (!contents) throw StartupError(fmt::format("{}: {}", path_, reason));
  sequence_ = contents->sequence;
  slot_was_damaged_ = contents->slot_was_damaged;
  newest_ = std::move(contents->payload);
  file_ = std::move(file);
}

int DurableRecord::store(ConstBytes payload) {
  BL_ASSERT(payload.size() <= kMaxPayloadSize);
  if (error_ != 0) return error_;
  // O_DSYNC: the write returns when the slot is durable.
  error_ = write_all(file_.get(), make_record_slot(sequence_ + 1, payload),
                     record_slot_offset(sequence_ + 1));
  if (error_ != 0) return error_;
  ++sequence_;
  newest_.emplace(payload.begin(), payload.end());
  return 0;
}

int DurableRecord::store_again(ConstBytes payload) {
  error_ = 0;
  return store(payload);
}

}  // namespace binlane
