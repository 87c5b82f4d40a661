// BinlogStore: the source host's binlog files: what stands in the page cache and what of it the
// disk has. BinlogView is a daemon's way to read them (the BinlogFiles concept).
//
// Files that were purged are remembered, so that checks can compare with the whole stream.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/position.h"
#include "random.h"
#include "shim/binlog_files.h"

namespace binlane::sim {

class BinlogStore {
 public:
  struct File {
    std::vector<std::byte> data;
    std::uint64_t synced = 0;   // bytes that survive a power cut
    bool name_synced = false;   // else the file itself may vanish
    bool ended_whole = false;   // with Rotate or Stop; the server says so
    bool purged = false;        // for checks only: nobody can open it
    std::byte synced_flags{0};  // byte 21 as the disk has it
  };

  // --- the server
  void create(std::uint32_t number);
  void append(std::uint32_t number, ConstBytes bytes);
  void sync(std::uint32_t number);
  // The same, but only up to `size`: what was there when the sync began.
  void sync_to(std::uint32_t number, std::uint64_t size);
  void clear_in_use(std::uint32_t number);
  void truncate(std::uint32_t number, std::uint64_t size);
  // Everything behind is gone.
  void cut(const Position& to);
  void purge_before(std::uint32_t number);
  // As if it had never been.
  void remove(std::uint32_t number);
  // Everything is gone, also for the checks.
  void reset();
  // What was not synced is lost, in part or whole; what is left of it may read as zeros.
  void cut_power(Random& random);

  bool empty() const { return first() == 0; }
  std::uint32_t first() const;  // that is not purged; 0: none
  std::uint32_t last() const;
  const File& file(std::uint32_t number) const { return *files_.at(number); }
  bool has(std::uint32_t number) const { return files_.count(number) > 0; }
  // All bytes before it are on stable storage, those of purged files aside.
  Position durable_until() const;

  // --- BinlogView's
  int open(std::uint32_t number);
  void close(FileHandle handle);
  const File& opened(FileHandle handle) const;
  bool replaced(FileHandle handle, std::uint32_t number) const;

 private:
  using FilePointer = std::shared_ptr<File>;
  std::map<std::uint32_t, FilePointer> files_;
  std::vector<FilePointer> handles_;
  mutable Position durable_;  // as last computed
  mutable bool durable_known_ = false;
};

class BinlogView {
 public:
  explicit BinlogView(BinlogStore& store) : store_(&store) {}
  int open(std::uint32_t number) { return store_->open(number); }
  std::int64_t read_at(FileHandle handle, std::uint64_t offset, MutableBytes bytes);
  std::int64_t size(FileHandle handle) {
    return static_cast<std::int64_t>(store_->opened(handle).data.size());
  }
  bool replaced(FileHandle handle, std::uint32_t number) {
    return store_->replaced(handle, number);
  }
  void close(FileHandle handle) { store_->close(handle); }
  std::size_t name_size(std::uint32_t number) const;
  const BinlogStore& store() const { return *store_; }

 private:
  BinlogStore* store_;
};
static_assert(BinlogFiles<BinlogView>);

// What the files are called.
inline constexpr const char* kBasename = "binlog";

}  // namespace binlane::sim
