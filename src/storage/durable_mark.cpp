#include "storage/durable_mark.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "storage/file_mode.h"
#include "storage/file_util.h"

namespace binlane {

FileMark::FileMark(const std::string& directory, const std::string& name)
    : directory_(directory),
      path_(directory + "/" + name),
      set_(::access(path_.c_str(), F_OK) == 0) {}

int FileMark::set() {
  if (set_) return 0;
  const FileDescriptor mark(
      ::open(path_.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, kPrivateFileMode));
  if (!mark.is_open()) return errno;
  if (const int error = sync_directory(directory_); error != 0) return error;
  set_ = true;
  return 0;
}

int FileMark::clear() {
  if (!set_) return 0;
  if (::unlink(path_.c_str()) != 0 && errno != ENOENT) return errno;
  if (const int error = sync_directory(directory_); error != 0) return error;
  set_ = false;
  return 0;
}

}  // namespace binlane
