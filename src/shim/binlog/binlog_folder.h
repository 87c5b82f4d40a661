// BinlogFolder: binlog files of one directory and one base name, as ordinary threads reach them.
//
// The lanes read through a type that is known at compile time (binlog_files.h). Everything that
// scans, compares, counts or syncs files is not hot and works over this interface, in the daemon
// and in the simulator alike. No call changes the object, so threads may share one.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/position.h"

namespace binlane {

// An open binlog file, >= 0. Whoever opened it closes it.
using FileHandle = int;
inline constexpr FileHandle kNoFile = -1;

class BinlogFolder {
 public:
  virtual ~BinlogFolder() = default;

  // The handle, or -errno; -ENOENT when there is no such file.
  virtual int open(std::uint32_t number) const = 0;
  // How many bytes were read (0 at the end of the file), or -errno.
  virtual std::int64_t read_at(FileHandle handle, std::uint64_t offset,
                               MutableBytes bytes) const = 0;
  // The file's size, or -errno.
  virtual std::int64_t size(FileHandle handle) const = 0;
  // The name of file `number` no longer means the file that `handle` was opened on: it was removed
  // or replaced.
  virtual bool replaced(FileHandle handle, std::uint32_t number) const = 0;
  virtual void close(FileHandle handle) const = 0;
  // The length of file `number`'s name, which a Rotate event to it carries.
  virtual std::size_t name_size(std::uint32_t number) const = 0;
  // Makes the file durable; 0 or -errno. Blocks.
  virtual int sync(FileHandle handle) const = 0;

 protected:
  BinlogFolder() = default;
  BinlogFolder(const BinlogFolder&) = default;
  BinlogFolder(BinlogFolder&&) = default;
  BinlogFolder& operator=(const BinlogFolder&) = default;
  BinlogFolder& operator=(BinlogFolder&&) = default;
};

// A file that is closed when its scope ends.
class OpenBinlog {
 public:
  OpenBinlog(const BinlogFolder& folder, std::uint32_t number)
      : folder_(folder), handle_(folder.open(number)) {}
  ~OpenBinlog() {
    if (handle_ >= 0) folder_.close(handle_);
  }
  OpenBinlog(const OpenBinlog&) = delete;
  OpenBinlog& operator=(const OpenBinlog&) = delete;

  FileHandle handle() const noexcept { return handle_; }
  // An errno; 0: it is open.
  int error() const noexcept { return handle_ < 0 ? -handle_ : 0; }

 private:
  const BinlogFolder& folder_;
  FileHandle handle_;
};

// What sync_files() did.
struct SyncResult {
  int error = 0;           // errno, 0 when all went well
  std::uint32_t file = 0;  // where the error was
};

// Makes the binlog files `first` to `last` durable, as safety rule S7 wants it at the start of an
// incarnation: recovery of a server does not sync its older files. Files before `last` that are
// gone (purged) are passed over. Blocks: for ordinary threads only.
SyncResult sync_files(const BinlogFolder& folder, std::uint32_t first, std::uint32_t last);
// The same for what follows file `first`'s beginning and ends at `end`. Of a file before whose
// first byte that is, nothing is needed: the server may not have made it yet.
SyncResult sync_up_to(const BinlogFolder& folder, std::uint32_t first, Position end);

}  // namespace binlane
