// ArchiveView: a replica's archive as a folder of binlog files, for reading only.
#pragma once

#include <cerrno>
#include <string>
#include <utility>

#include "base/position.h"
#include "host_files.h"
#include "shim/binlog/binlog_folder.h"

namespace binlane::sim {

class ArchiveView final : public BinlogFolder {
 public:
  ArchiveView(HostFiles& files, std::string folder, std::string basename)
      : files_(&files), folder_(std::move(folder)), basename_(std::move(basename)) {}

  // The handle of a file is its number.
  int open(std::uint32_t number) const override {
    return files_->size(path(number)) ? static_cast<int>(number) : -ENOENT;
  }
  std::int64_t read_at(FileHandle handle, std::uint64_t offset, MutableBytes bytes) const override {
    return files_->read(path(static_cast<std::uint32_t>(handle)), offset, bytes);
  }
  std::int64_t size(FileHandle handle) const override {
    const auto size = files_->size(path(static_cast<std::uint32_t>(handle)));
    return size ? static_cast<std::int64_t>(*size) : -ENOENT;
  }
  bool replaced(FileHandle, std::uint32_t) const override { return false; }
  void close(FileHandle) const override {}
  std::size_t name_size(std::uint32_t number) const override {
    return binlog_file_name(basename_, number).size();
  }
  int sync(FileHandle) const override { return 0; }

 private:
  std::string path(std::uint32_t number) const {
    return folder_ + "/" + binlog_file_name(basename_, number);
  }

  HostFiles* files_;
  std::string folder_;
  std::string basename_;
};
}  // namespace binlane::sim
