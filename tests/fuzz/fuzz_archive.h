// A small archive on disk, made once for a process: the binlog of tests/data, released whole.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/assert.h"
#include "shim/feed_limit.h"

namespace binlane::fuzz {

class Archive final : public FeedLimit {
 public:
  static constexpr const char* kBasename = "groups";

  static Archive& instance() {
    static Archive archive;
    return archive;
  }
  const std::string& directory() const { return directory_; }

  // --- FeedLimit
  Position whole_groups() const override { return end_; }
  bool wait_beyond(Position position, std::uint64_t) override { return end_ > position; }

 private:
  Archive() {
    std::string name = (std::filesystem::temp_directory_path() / "binlane-fuzz-XXXXXX").string();
    BL_ASSERT(::mkdtemp(name.data()) != nullptr);
    directory_ = name;
    for (const char* const file : {"groups.000001", "groups.000002"}) {
      std::filesystem::copy_file(std::filesystem::path(BINLANE_TEST_DATA) / file,
                                 std::filesystem::path(directory_) / file);
    }
    end_ = {2, std::filesystem::file_size(std::filesystem::path(directory_) / "groups.000002")};
  }
  ~Archive() override {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  std::string directory_;
  Position end_;
};

}  // namespace binlane::fuzz
