#include "storage/archive/archive_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <filesystem>

#include "base/position.h"
#include "storage/file_mode.h"
#include "storage/file_util.h"

namespace binlane {

int ArchiveIo::make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), kPrivateFolderMode) == 0) {
    if (const int error = sync_directory(parent_directory(path)); error != 0) {
      ::rmdir(path.c_str());  // otherwise the next attempt would find it, and not sync its name
      return error;
    }
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

std::vector<ArchiveEntry> ArchiveIo::list(const std::string& directory,
                                          const std::string& basename) {
  std::vector<ArchiveEntry> entries;
  std::error_code error;
  const std::time_t now = std::time(nullptr);
  const std::filesystem::directory_iterator end;
  // Its ++ throws if a folder cannot be read any further.
  for (std::filesystem::directory_iterator found(directory, error); !error && found != end;
       found.increment(error)) {
    const std::string name = found->path().filename();
    const std::uint32_t number = binlog_file_number(name);
    if (number == 0 || name != binlog_file_name(basename, number)) continue;
    struct stat status {};
    if (::stat(found->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    const std::time_t age = now - status.st_mtime;
    entries.push_back({number, static_cast<std::uint64_t>(status.st_size),
                       static_cast<std::uint64_t>(std::max<std::time_t>(age, 0))});
  }
  std::sort(entries.begin(), entries.end(),
            [](const ArchiveEntry& a, const ArchiveEntry& b) { return a.number < b.number; });
  return entries;
}

int ArchiveIo::link(const std::string& from, const std::string& to) {
  return ::link(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

int ArchiveIo::make_directories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  return error.value();
}

int ArchiveIo::remove_directory(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  return error.value();
}

int ArchiveIo::remove(const std::string& path) {
  return ::unlink(path.c_str()) == 0 || errno == ENOENT ? 0 : errno;
}

std::optional<std::uint64_t> ArchiveIo::free_bytes(const std::string& directory) {
  struct statvfs system {};
  if (::statvfs(directory.c_str(), &system) != 0) return std::nullopt;
  return std::uint64_t{system.f_bavail} * system.f_frsize;
}

}  // namespace binlane
