#include "control/degrade_mark.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "storage/file_mode.h"
#include "storage/file_util.h"

namespace binlane {
namespace {

constexpr mode_t kMode = kPrivateFileMode;

}  // namespace

DegradeMark::DegradeMark(const std::string& data_dir)
    : directory_(data_dir),
      path_(data_dir + "/degrade.mark"),
      stands_(::access(path_.c_str(), F_OK) == 0) {}

int DegradeMark::leave() {
  if (stands_) return 0;
  const FileDescriptor mark(
      ::open(path_.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, kMode));
  if (!mark.is_open()) return errno;
  if (const int error = sync_directory(directory_); error != 0) return error;
  stands_ = true;
  return 0;
}

int DegradeMark::remove() {
  if (!stands_) return 0;
  if (::unlink(path_.c_str()) != 0 && errno != ENOENT) return errno;
  if (const int error = sync_directory(directory_); error != 0) return error;
  stands_ = false;
  return 0;
}

}  // namespace binlane
