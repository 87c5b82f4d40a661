// BinlogStore: the binlog files of the source host: what is in the page cache, and what of that is
// on the disk. A daemon reads them through BinlogView.
//
// Purged files are remembered, so that checks can compare with the whole stream.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/position.h"
#include "random.h"
#include "shim/binlog/binlog_files.h"

namespace binlane::sim {

class BinlogStore {
 public:
  struct File {
    std::vector<std::byte> data;
    std::uint64_t synced = 0;   // bytes that survive a power cut
    bool name_synced = false;   // false: a power cut may take the whole file
    bool ended_whole = false;   // it ends with a whole Rotate or Stop event
    bool purged = false;        // exists for checks only; nobody can open it
    std::byte synced_flags{0};  // byte 21 as it is on the disk
  };

  // --- the server
  void create(std::uint32_t number);
  void append(std::uint32_t number, ConstBytes bytes);
  void sync(std::uint32_t number);
  // The same up to `size` only, which is what existed when the sync began.
  void sync_to(std::uint32_t number, std::uint64_t size);
  void clear_in_use(std::uint32_t number);
  // Writes over the file's first bytes.
  void overwrite(std::uint32_t number, ConstBytes bytes);
  void truncate(std::uint32_t number, std::uint64_t size);
  // Removes everything after this position.
  void cut(const Position& to);
  void purge_before(std::uint32_t number);
  // Removes a file, for the checks as well.
  void remove(std::uint32_t number);
  // Removes everything, for the checks as well.
  void reset();
  // What was not synced is lost, completely or in part. Some of what remains may read as zeros.
  void cut_power(Random& random);

  bool empty() const { return first() == 0; }
  std::uint32_t first() const;  // the oldest file that is not purged; 0: none
  std::uint32_t last() const;
  const File& file(std::uint32_t number) const { return *files_.at(number); }
  bool has(std::uint32_t number) const { return files_.count(number) > 0; }
  // All bytes before this position are on stable storage, not counting purged files.
  Position durable_until() const;

  // --- for BinlogView
  int open(std::uint32_t number);
  void close(FileHandle handle);
  const File& opened(FileHandle handle) const;
  bool replaced(FileHandle handle, std::uint32_t number) const;
  void sync_opened(FileHandle handle);

 private:
  using FilePointer = std::shared_ptr<File>;
  std::map<std::uint32_t, FilePointer> files_;
  std::vector<FilePointer> handles_;
  mutable Position durable_;  // as last computed
  mutable bool durable_known_ = false;
};

class BinlogView final : public BinlogFolder {
 public:
  explicit BinlogView(BinlogStore& store) : store_(&store) {}
  int open(std::uint32_t number) const override { return store_->open(number); }
  std::int64_t read_at(FileHandle handle, std::uint64_t offset, MutableBytes bytes) const override;
  std::int64_t size(FileHandle handle) const override {
    return static_cast<std::int64_t>(store_->opened(handle).data.size());
  }
  bool replaced(FileHandle handle, std::uint32_t number) const override {
    return store_->replaced(handle, number);
  }
  void close(FileHandle handle) const override { store_->close(handle); }
  std::size_t name_size(std::uint32_t number) const override;
  int sync(FileHandle handle) const override {
    store_->sync_opened(handle);
    return 0;
  }
  const BinlogStore& store() const { return *store_; }

 private:
  BinlogStore* store_;
};
static_assert(BinlogFiles<BinlogView>);

// The name of the folder that a server has them in, and their base name.
inline constexpr const char* kBinlogFolder = "binlogs";
inline constexpr const char* kBasename = "binlog";

}  // namespace binlane::sim
