#include "shim/binlog/binlog_files.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/assert.h"
#include "base/error.h"
#include "base/heartbeat.h"

namespace binlane {
namespace {

constexpr std::size_t kDigitsMin = 6;   // as the servers number their files
constexpr std::size_t kDigitsMax = 10;  // of any 32-bit number
// Signals interrupt no read of a regular file; a network file system may differ.
constexpr int kMaxInterrupts = 16;

struct Path {
  char text[PATH_MAX];
};

void format_path(const std::string& prefix, std::uint32_t number, Path& path) noexcept {
  const int length = std::snprintf(path.text, sizeof path.text, "%s%0*u", prefix.c_str(),
                                   static_cast<int>(kDigitsMin), static_cast<unsigned>(number));
  BL_ASSERT(length > 0 && static_cast<std::size_t>(length) < sizeof path.text);
}

}  // namespace

PosixBinlogFiles::PosixBinlogFiles(const std::string& directory, const std::string& basename)
    : prefix_(directory + "/" + basename + "."), basename_size_(basename.size()) {
  if (prefix_.size() + kDigitsMax >= PATH_MAX) unusable_ = ENAMETOOLONG;
  if (basename.empty() || basename.find('/') != std::string::npos) unusable_ = EINVAL;
}

int PosixBinlogFiles::open(std::uint32_t number) const noexcept {
  if (unusable_ != 0) return -unusable_;
  Path path;
  format_path(prefix_, number, path);
  const int handle = ::open(path.text, O_RDONLY | O_CLOEXEC);
  return handle >= 0 ? handle : -errno;
}

std::int64_t PosixBinlogFiles::read_at(FileHandle handle, std::uint64_t offset,
                                       MutableBytes bytes) const noexcept {
  // A scan, count or comparison of binlogs may read for minutes, and passes here.
  still_alive();
  for (int attempt = 0; attempt < kMaxInterrupts; ++attempt) {
    const ssize_t count = ::pread(handle, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count >= 0) return count;
    if (errno != EINTR) return -errno;
  }
  return -EINTR;
}

std::int64_t PosixBinlogFiles::size(FileHandle handle) const noexcept {
  struct stat status {};
  return ::fstat(handle, &status) == 0 ? status.st_size : -errno;
}

bool PosixBinlogFiles::replaced(FileHandle handle, std::uint32_t number) const noexcept {
  BL_ASSERT(unusable_ == 0);  // otherwise there was no handle
  struct stat open_file {};
  struct stat named_file {};
  Path path;
  format_path(prefix_, number, path);
  // Any other error says nothing about the file; reading it will.
  if (::stat(path.text, &named_file) != 0) return errno == ENOENT;
  if (::fstat(handle, &open_file) != 0) return false;
  return open_file.st_dev != named_file.st_dev || open_file.st_ino != named_file.st_ino;
}

void PosixBinlogFiles::close(FileHandle handle) const noexcept {
  BL_ASSERT(handle >= 0);
  ::close(handle);
}

std::size_t PosixBinlogFiles::name_size(std::uint32_t number) const noexcept {
  std::size_t digits = 1;
  while (number >= 10) {
    number /= 10;
    ++digits;
  }
  return basename_size_ + 1 + (digits < kDigitsMin ? kDigitsMin : digits);
}

int PosixBinlogFiles::sync(FileHandle handle) const noexcept {
  return ::fdatasync(handle) == 0 ? 0 : -errno;
}

}  // namespace binlane
