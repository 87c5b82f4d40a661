// FakeBinlogFiles: binlog files in memory, with the faults that tests want.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include "base/assert.h"
#include "binlog_writer.h"
#include "shim/binlog/binlog_files.h"

namespace binlane::test {

class FakeBinlogFiles final : public BinlogFolder {
 public:
  // --- what the server does
  void append(std::uint32_t number, const Bytes& bytes) {
    Bytes& data = named(number)->data;
    data.insert(data.end(), bytes.begin(), bytes.end());
  }
  void truncate(std::uint32_t number, std::size_t size) { named(number)->data.resize(size); }
  void remove(std::uint32_t number) { names_.erase(number); }
  void replace(std::uint32_t number, const Bytes& bytes) {
    remove(number);
    append(number, bytes);
  }
  // A file that begins with zeros nobody stored.
  void begin_with_hole(std::uint32_t number, std::uint64_t size) { named(number)->hole = size; }
  Bytes& data(std::uint32_t number) { return named(number)->data; }

  // --- faults and limits
  int open_error = 0;  // errno of every open
  int read_error = 0;
  std::size_t max_read = SIZE_MAX;  // reads come back short
  std::size_t open_count() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(handles_, [](const auto& handle) { return handle != nullptr; }));
  }
  int sync_error = 0;  // errno of every sync
  mutable std::uint64_t opens = 0;
  mutable std::uint64_t reads = 0;
  mutable std::uint64_t looks = 0;            // size, replaced
  mutable std::vector<std::uint32_t> synced;  // file by file

  // --- BinlogFiles, BinlogFolder
  int open(std::uint32_t number) const override {
    ++opens;
    if (open_error != 0) return -open_error;
    const auto found = names_.find(number);
    if (found == names_.end()) return -ENOENT;
    handles_.push_back(found->second);
    return static_cast<int>(handles_.size() - 1);
  }
  std::int64_t read_at(FileHandle handle, std::uint64_t offset, MutableBytes bytes) const override {
    ++reads;
    if (read_error != 0) return -read_error;
    const File& file = at(handle);
    const std::uint64_t size = file.hole + file.data.size();
    if (offset >= size) return 0;
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>({bytes.size(), max_read, size - offset}));
    for (std::size_t i = 0; i < count; ++i)
      bytes[i] = offset + i < file.hole ? std::byte{0} : file.data[offset + i - file.hole];
    return static_cast<std::int64_t>(count);
  }
  std::int64_t size(FileHandle handle) const override {
    ++looks;
    return static_cast<std::int64_t>(at(handle).hole + at(handle).data.size());
  }
  bool replaced(FileHandle handle, std::uint32_t number) const override {
    ++looks;
    const auto found = names_.find(number);
    return found == names_.end() || found->second != handles_.at(static_cast<std::size_t>(handle));
  }
  void close(FileHandle handle) const override {
    at(handle);
    handles_.at(static_cast<std::size_t>(handle)).reset();
  }
  std::size_t name_size(std::uint32_t number) const override {
    return std::string("binlog.").size() + std::max<std::size_t>(6, std::to_string(number).size());
  }
  int sync(FileHandle handle) const override {
    for (const auto& [number, file] : names_) {
      if (file.get() == &at(handle)) synced.push_back(number);
    }
    return -sync_error;
  }

 private:
  struct File {
    std::uint64_t hole = 0;
    Bytes data;
  };

  std::shared_ptr<File>& named(std::uint32_t number) {
    std::shared_ptr<File>& file = names_[number];
    if (!file) file = std::make_shared<File>();
    return file;
  }
  File& at(FileHandle handle) const {
    const std::shared_ptr<File>& file = handles_.at(static_cast<std::size_t>(handle));
    BL_ASSERT(file != nullptr);
    return *file;
  }

  std::map<std::uint32_t, std::shared_ptr<File>> names_;
  mutable std::vector<std::shared_ptr<File>> handles_;
};
static_assert(BinlogFiles<FakeBinlogFiles>);

}  // namespace binlane::test
