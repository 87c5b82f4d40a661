// ArchiveIo: how the archive touches its files, so that tests can put faults between and the
// simulator a disk of its own. Errors are errno values, 0 for none; counts are negative for them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace binlane {

struct ArchiveEntry {
  std::uint32_t number = 0;
  std::uint64_t size = 0;
  std::uint64_t age_s = 0;  // since it was last written to, by the wall clock; 0 when in the future
};

class ArchiveIo {
 public:
  ArchiveIo() = default;
  ArchiveIo(const ArchiveIo&) = delete;
  ArchiveIo& operator=(const ArchiveIo&) = delete;
  virtual ~ArchiveIo() = default;

  // The folder is there and can be used afterwards.
  virtual int make_directory(const std::string& path);
  virtual int sync_directory(const std::string& path);
  // Empty when there is no such file.
  virtual std::optional<std::uint64_t> size(const std::string& path);
  virtual std::int64_t read(const std::string& path, std::uint64_t offset, MutableBytes bytes);
  virtual int truncate(const std::string& path, std::uint64_t size);

  // Opens for reading and writing, creates it (0600) when it is not there. Whoever opened it closes
  // it.
  virtual int open(const std::string& path, int& handle);
  virtual void close(int handle) noexcept;
  // `written`: bytes taken before an error.
  virtual int write(int handle, ConstBytes bytes, std::uint64_t offset, std::size_t& written);
  virtual int sync(int handle);

  // The binlog files of that base name in a folder, in the order of their numbers.
  virtual std::vector<ArchiveEntry> list(const std::string& directory, const std::string& basename);
  // Deletes a file. 0 as well when there is no such file.
  virtual int remove(const std::string& path);
  // Room left for us on the file system of a folder; nothing when it cannot be told.
  virtual std::optional<std::uint64_t> free_bytes(const std::string& directory);
};

}  // namespace binlane
