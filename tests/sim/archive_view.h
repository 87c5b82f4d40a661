// ArchiveView: a replica's archive as binlog files (the BinlogFiles concept), to be read only.
#pragma once

#include <cerrno>
#include <string>
#include <utility>

#include "base/position.h"
#include "host_files.h"
#include "shim/binlog_files.h"

namespace binlane::sim {

class ArchiveView {
 public:
  ArchiveView(HostFiles& files, std::string folder, std::string basename)
      : files_(&files), folder_(std::move(folder)), basename_(std::move(basename)) {}

  // A file's number is handle enough.
  int open(std::uint32_t number) {
    return files_->size(path(number)) ? static_cast<int>(number) : -ENOENT;
  }
  std::int64_t read_at(FileHandle handle, std::uint64_t offset, MutableBytes bytes) {
    return files_->read(path(static_cast<std::uint32_t>(handle)), offset, bytes);
  }
  std::int64_t size(FileHandle handle) {
    const auto size = files_->size(path(static_cast<std::uint32_t>(handle)));
    return size ? static_cast<std::int64_t>(*size) : -ENOENT;
  }
  bool replaced(FileHandle, std::uint32_t) { return false; }
  void close(FileHandle) {}
  std::size_t name_size(std::uint32_t number) const {
    return binlog_file_name(basename_, number).size();
  }

 private:
  std::string path(std::uint32_t number) const {
    return folder_ + "/" + binlog_file_name(basename_, number);
  }

  HostFiles* files_;
  std::string folder_;
  std::string basename_;
};
static_assert(BinlogFiles<ArchiveView>);

}  // namespace binlane::sim
