// BinlogFiles: how the tailer and the readers of a stream reach the source's binlog files, and the
// POSIX implementation of it.
//
// Files are known by number alone; directory and base name never change under an object (another
// base name is another stream, safety rule S16). Nothing here allocates after construction.
#pragma once

#include <cerrno>
#include <concepts>
#include <cstdint>
#include <string>

#include "base/bytes.h"

namespace binlane {

// An open binlog file, >= 0. Whoever opened it closes it.
using FileHandle = int;
inline constexpr FileHandle kNoFile = -1;

template <class F>
concept BinlogFiles = requires(F files, std::uint32_t number, FileHandle handle,
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
class PosixBinlogFiles {
 public:
  // Where these are no path, or one that is too long, open() says so: they come from the server, or
  // from another host, at any time.
  PosixBinlogFiles(const std::string& directory, const std::string& basename);

  int open(std::uint32_t number) const noexcept;
  std::int64_t read_at(FileHandle handle, std::uint64_t offset, MutableBytes bytes) const noexcept;
  std::int64_t size(FileHandle handle) const noexcept;
  bool replaced(FileHandle handle, std::uint32_t number) const noexcept;
  void close(FileHandle handle) const noexcept;
  std::size_t name_size(std::uint32_t number) const noexcept;

  // fdatasync; 0 or -errno. Blocks: for ordinary threads only.
  int sync(FileHandle handle) const noexcept;

 private:
  std::string prefix_;  // "<directory>/<base name>."
  std::size_t basename_size_;
  int unusable_ = 0;  // an errno that every open() returns; 0: none
};
static_assert(BinlogFiles<PosixBinlogFiles>);

// What sync_files() did.
struct SyncResult {
  int error = 0;           // errno, 0 when all went well
  std::uint32_t file = 0;  // where the error was
};

// Makes the binlog files `first` to `last` durable, as safety rule S7 wants it at the start of an
// incarnation: recovery of a server does not sync its older files. Files before `last` that are
// gone (purged) are passed over. Blocks: for ordinary threads only.
SyncResult sync_files(const PosixBinlogFiles& files, std::uint32_t first, std::uint32_t last);

}  // namespace binlane
