// Small archives on disk, each made once for a process: the binlogs of tests/data that a MariaDB
// server wrote, and those of a MySQL server, released whole.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/assert.h"
#include "base/position.h"
#include "shim/feed/feed_limit.h"

namespace binlane::fuzz {

class Archive final : public FeedLimit {
 public:
  static Archive& instance() {
    static Archive archive(".", "groups", 2);
    return archive;
  }
  static Archive& of_mysql() {
    static Archive archive("mysql", "binlog", 5);
    return archive;
  }
  const std::string& directory() const { return directory_; }
  const std::string& basename() const { return basename_; }

  // --- FeedLimit
  Position whole_groups() const override { return end_; }
  bool wait_beyond(Position position, std::uint64_t) override { return end_ > position; }

 private:
  Archive(const char* folder, const char* basename, std::uint32_t files) : basename_(basename) {
    std::string name = (std::filesystem::temp_directory_path() / "binlane-fuzz-XXXXXX").string();
    BL_ASSERT(::mkdtemp(name.data()) != nullptr);
    directory_ = name;
    for (std::uint32_t number = 1; number <= files; ++number) {
      const std::string file = binlog_file_name(basename_, number);
      const auto copy = std::filesystem::path(directory_) / file;
      std::filesystem::copy_file(std::filesystem::path(BINLANE_TEST_DATA) / folder / file, copy);
      end_ = {number, std::filesystem::file_size(copy)};
    }
  }
  ~Archive() override {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  const std::string basename_;
  std::string directory_;
  Position end_;
};

}  // namespace binlane::fuzz
