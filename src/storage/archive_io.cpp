#include "storage/archive_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "storage/file_mode.h"
#include "storage/file_util.h"

namespace binlane {

int ArchiveIo::make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), kPrivateFolderMode) == 0) {
    if (const int error = sync_directory(parent_directory(path)); error != 0) return error;
  } else if (errno != EEXIST) {
    return errno;
  }
  return ::access(path.c_str(), R_OK | W_OK | X_OK) == 0 ? 0 : errno;
}

int ArchiveIo::sync_directory(const std::string& path) {
  return binlane::sync_directory(path);
}

std::optional<std::uint64_t> ArchiveIo::size(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return static_cast<std::uint64_t>(status.st_size);
}

std::int64_t ArchiveIo::read(const std::string& path, std::uint64_t offset, MutableBytes bytes) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return -errno;
  return read_all(file.get(), bytes, offset);
}

int ArchiveIo::truncate(const std::string& path, std::uint64_t size) {
  return ::truncate(path.c_str(), static_cast<off_t>(size)) == 0 ? 0 : errno;
}

int ArchiveIo::open(const std::string& path, int& handle) {
  handle = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kPrivateFileMode);
  return handle >= 0 ? 0 : errno;
}

void ArchiveIo::close(int handle) noexcept {
  ::close(handle);
}

int ArchiveIo::write(int handle, ConstBytes bytes, std::uint64_t offset, std::size_t& written) {
  return write_all(handle, bytes, offset, &written);
}

int ArchiveIo::sync(int handle) {
  return ::fdatasync(handle) == 0 ? 0 : errno;
}

}  // namespace binlane
