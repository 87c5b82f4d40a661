// ArchiveIo: how the archive accesses its files, so that tests can inject faults and the simulator
// can use a disk of its own. Errors are errno values, 0 for none; counts are negative for them.
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

  // The folder exists and can be used afterwards.
  virtual int make_directory(const std::string& path);
  virtual int sync_directory(const std::string& path);
  // Empty when there is no such file.
  virtual std::optional<std::uint64_t> size(const std::string& path);
  virtual std::int64_t read(const std::string& path, std::uint64_t offset, MutableBytes bytes);
  virtual int truncate(const std::string& path, std::uint64_t size);

  // Opens for reading and writing, and creates the file (0600) if it does not exist. The caller
  // closes it.
  virtual int open(const std::string& path, int& handle);
  virtual void close(int handle) noexcept;
  // `written`: bytes taken before an error.
  virtual int write(int handle, ConstBytes bytes, std::uint64_t offset, std::size_t& written);
  virtual int sync(int handle);

  // The binlog files of that base name in a folder, in the order of their numbers.
  virtual std::vector<ArchiveEntry> list(const std::string& directory, const std::string& basename);
  // A second name for a file that is complete.
  virtual int link(const std::string& from, const std::string& to);
  // Makes a folder with those above it, and deletes one with all that is in it; 0 as well when it
  // is there, or is not.
  virtual int make_directories(const std::string& path);
  virtual int remove_directory(const std::string& path);
  // Deletes a file. Returns 0 also if there is no such file.
  virtual int remove(const std::string& path);
  // Free space on the file system of a folder; nothing if it is unknown.
  virtual std::optional<std::uint64_t> free_bytes(const std::string& directory);
};

}  // namespace binlane
