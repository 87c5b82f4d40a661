// HostFiles: the ordinary files of a replica's host (the archive), with a page cache that a power
// cut forgets, and with a disk's faults. It has no folders: a path is a name.
#pragma once

#include <cerrno>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "random.h"
#include "storage/archive/archive_io.h"

namespace binlane::sim {

class HostFiles final : public ArchiveIo {
 public:
  int make_directory(const std::string&) override { return 0; }
  int sync_directory(const std::string& path) override;
  std::optional<std::uint64_t> size(const std::string& path) override;
  std::int64_t read(const std::string& path, std::uint64_t offset, MutableBytes bytes) override;
  int truncate(const std::string& path, std::uint64_t size) override;
  int open(const std::string& path, int& handle) override;
  void close(int handle) noexcept override;
  int write(int handle, ConstBytes bytes, std::uint64_t offset, std::size_t& written) override;
  int sync(int handle) override;
  std::vector<ArchiveEntry> list(const std::string& directory,
                                 const std::string& basename) override;
  int remove(const std::string& path) override;
  int link(const std::string& from, const std::string& to) override;
  int make_directories(const std::string&) override { return 0; }
  int remove_directory(const std::string& path) override;
  std::optional<std::uint64_t> free_bytes(const std::string&) override {
    return full ? 0 : UINT64_MAX;
  }

  // --- faults
  bool full = false;    // ENOSPC
  int write_error = 0;  // errno of every write
  int sync_error = 0;
  void cut_power(Random& random);
  void remove_all();

  // --- for checks
  const std::vector<std::byte>* data(const std::string& path) const;
  // The bytes that a power cut certainly leaves.
  ConstBytes durable(const std::string& path) const;

 private:
  struct File {
    std::vector<std::byte> data;
    std::vector<std::byte> synced;
    bool name_synced = false;
  };
  using FilePointer = std::shared_ptr<File>;

  std::map<std::string, FilePointer> files_;
  std::vector<FilePointer> handles_;
};

}  // namespace binlane::sim
