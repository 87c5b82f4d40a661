// MemoryLog: a replica's log without a file, for tests of everything above the journal.
//
// It keeps the journal's contract (storage/journal/journal.h) in the simplest way: all units of the
// stream in one array, and a table of "blocks" that only counts room and completions.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/epoch.h"
#include "base/file_end.h"
#include "base/position.h"
#include "storage/journal/disk.h"

namespace binlane::test {

class MemoryLog {
 public:
  // Small, so that little data makes many blocks.
  static constexpr std::uint32_t kBlockUnits = 1024;
  static constexpr std::uint32_t kWriteUnit = 4096;  // a write's length per block
  static constexpr std::uint32_t kReserved = 4;      // for records
  static constexpr std::uint32_t kMaxBatch = 16;

  struct ReleaseMark {
    std::uint64_t sequence = 0;  // blocks before it are released whole
    std::uint64_t log = 0;
    Position position;
    bool covers_same_as(const ReleaseMark& other) const {
      return sequence == other.sequence && log == other.log;
    }
  };

  // Nothing is allocated after this while the stream stays within `capacity` units.
  explicit MemoryLog(std::uint32_t block_count, std::size_t capacity = 1U << 20);

  // --- the journal's interface ---
  void begin_at(Position at);
  bool append(Position at, ConstBytes bytes);
  bool append_file_end(const FileEnd& file_end);
  bool start_epoch(Epoch epoch);
  bool cut(std::uint64_t to, Epoch epoch);
  std::optional<DiskWrite> next_write();
  void on_completion(const DiskCompletion& completion);
  void release(std::uint64_t log_offset);
  void on_archived(std::uint64_t sequence);
  std::uint64_t end_log() const { return units_.size(); }
  std::uint64_t durable_log() const { return durable_; }
  std::uint64_t released_log() const { return released_; }
  std::uint32_t digest(std::uint64_t from, std::uint64_t to) const;
  Position end() const { return begin_.is_null() ? Position{} : position_of(end_log()); }
  Position durable() const { return begin_.is_null() ? Position{} : position_of(durable_); }
  Position released() const { return begin_.is_null() ? Position{} : position_of(released_); }
  Epoch epoch() const { return epoch_; }
  ReleaseMark release_mark() const;
  bool records_durable() const { return completed_ >= last_record_; }
  bool idle() const { return in_flight_ == 0 && submitted_ == blocks_.size(); }
  bool failed() const { return failure_ != 0; }
  int failure() const { return failure_; }
  std::uint32_t free_blocks() const;
  std::uint32_t block_count() const { return block_count_; }

  // --- for tests ---
  Position position_of(std::uint64_t log) const;
  // Unit `log` as a byte; a file's end is kFileEndUnit, see is_file_end().
  std::byte unit(std::uint64_t log) const { return units_[log]; }
  const FileEnd* file_end_at(std::uint64_t log) const;

 private:
  struct Block {
    std::uint64_t end_log = 0;
    std::uint32_t units = 0;
    bool record = false;
    bool open = false;
    bool completed = false;
  };
  struct End {
    std::uint64_t log = 0;  // of the unit itself
    FileEnd end;
  };
  struct Write {
    bool used = false;
    std::uint32_t length = 0;
    std::uint64_t first = 0;  // sequences
    std::uint64_t last = 0;
  };

  void add_block(bool record);
  void close_block();
  bool add_record(Epoch epoch);
  std::uint64_t used_blocks() const { return blocks_.size() - archived_; }

  std::uint32_t block_count_;
  std::size_t capacity_;
  Position begin_;
  Epoch epoch_;
  std::vector<std::byte> units_;
  std::vector<End> ends_;
  std::vector<Block> blocks_;  // sequence - 1 is the index
  std::uint64_t submitted_ = 0;
  std::uint64_t completed_ = 0;  // longest completed prefix
  std::uint64_t archived_ = 0;
  std::uint64_t last_record_ = 0;
  std::uint64_t durable_ = 0;
  std::uint64_t released_ = 0;
  std::uint32_t in_flight_ = 0;
  int failure_ = 0;
  Write writes_[kMaxWritesInFlight];
};

}  // namespace binlane::test
