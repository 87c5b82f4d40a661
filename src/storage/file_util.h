// Small helpers around POSIX files that several parts of storage need: complete reads and writes,
// directory syncs, an owning descriptor. Not for lanes.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <string>
#include <utility>

#include "base/bytes.h"

namespace binlane {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int descriptor) noexcept : descriptor_(descriptor) {}
  ~FileDescriptor() { reset(); }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  FileDescriptor(FileDescriptor&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    reset(std::exchange(other.descriptor_, -1));
    return *this;
  }

  int get() const noexcept { return descriptor_; }
  bool is_open() const noexcept { return descriptor_ >= 0; }
  void reset(int descriptor = -1) noexcept {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = descriptor;
  }

 private:
  int descriptor_ = -1;
};

// Writes all of `bytes` at `offset`. 0 or an errno; `written` (if given) tells how many bytes were
// taken before an error.
int write_all(int descriptor, ConstBytes bytes, std::uint64_t offset,
              std::size_t* written = nullptr) noexcept;

// Reads up to bytes.size() bytes at `offset`; less only at the end of the file. Count or -errno.
std::int64_t read_all(int descriptor, MutableBytes bytes, std::uint64_t offset) noexcept;

// The folder a path stands in ("." when it names none).
std::string parent_directory(const std::string& path);

// Makes the names in a folder durable. 0 or an errno.
int sync_directory(const std::string& path) noexcept;

// Takes the exclusive lock of an open file without waiting. 0, or an errno (EWOULDBLOCK: another
// opening holds it).
int lock_exclusively(int descriptor) noexcept;

}  // namespace binlane
