// BinlogFiles: how the tailer and the readers of a stream access the source's binlog files, and the
// POSIX implementation of it.
//
// Files are known by number alone. Directory and base name never change under an object, because
// another base name is another stream. [S16] Nothing here allocates after construction.
#pragma once

#include <cerrno>
#include <concepts>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "shim/binlog/binlog_folder.h"

namespace binlane {

template <class F>
concept BinlogFiles = requires(F& files, std::uint32_t number, FileHandle handle,
                               std::uint64_t offset, MutableBytes bytes) {
  // The handle, or -errno; -ENOENT when there is no such file.
  { files.open(number) } -> std::same_as<int>;
  // How many bytes were read (0 at the end of the file), or -errno.
  { files.read_at(handle, offset, bytes) } -> std::same_as<std::int64_t>;
  // The file's size, or -errno.
  { files.size(handle) } -> std::same_as<std::int64_t>;
  // The name of file `number` no longer means the file that `handle` was opened on: it was removed
  // or replaced.
  { files.replaced(handle, number) } -> std::same_as<bool>;
  files.close(handle);
  // The length of file `number`'s name, which a Rotate event to it carries.
  { files.name_size(number) } -> std::same_as<std::size_t>;
};

// The files `<directory>/<base name>.<number>`, opened for reading only. A value; threads use
// copies of their own or share one, since no call changes it.
class PosixBinlogFiles final : public BinlogFolder {
 public:
  // If these are no path, or one that is too long, open() says so: they come from the server, or
  // from another host, at any time.
  PosixBinlogFiles(const std::string& directory, const std::string& basename);

  int open(std::uint32_t number) const noexcept override;
  std::int64_t read_at(FileHandle handle, std::uint64_t offset,
                       MutableBytes bytes) const noexcept override;
  std::int64_t size(FileHandle handle) const noexcept override;
  bool replaced(FileHandle handle, std::uint32_t number) const noexcept override;
  void close(FileHandle handle) const noexcept override;
  std::size_t name_size(std::uint32_t number) const noexcept override;

  // fdatasync; 0 or -errno. Blocks: for ordinary threads only.
  int sync(FileHandle handle) const noexcept override;

 private:
  std::string prefix_;  // "<directory>/<base name>."
  std::size_t basename_size_;
  int unusable_ = 0;  // an errno that every open() returns; 0: none
};
static_assert(BinlogFiles<PosixBinlogFiles>);

}  // namespace binlane
