// HostSuperblock: a journal's superblock on the disk of a replica's host. It is encoded and decoded
// as in production, and the record keeps what was stored, whole (the contract of DurableRecord).
#pragma once

#include <cerrno>
#include <string>
#include <vector>

#include "base/assert.h"
#include "storage/journal/journal_store.h"

namespace binlane::sim {

// What is on the disk.
struct SuperblockRecord {
  std::vector<std::byte> bytes;
  // Every store fails. A process that has met one failed store stores nothing any more.
  bool failing = false;
};

inline JournalMeta decode_superblock(const SuperblockRecord& record) {
  std::string reason;
  const auto meta = decode_journal_meta(record.bytes, reason);
  BL_ASSERT(meta.has_value());
  return *meta;
}

class HostSuperblock final : public JournalStore {
 public:
  // `image`: the copy of the ring in memory.
  HostSuperblock(SuperblockRecord& record, MutableBytes image) : record_(record), image_(image) {
    load(decode_superblock(record));
  }

  const std::string& path() const noexcept override { return path_; }
  const JournalStart& start() const noexcept override { return start_; }
  // Called once, at the opening, with what recovery found.
  void set_start(const JournalStart& start) { start_ = start; }
  MutableBytes image() noexcept override { return image_; }

 private:
  int store(const JournalMeta& meta) override {
    failed_ = failed_ || record_.failing;
    if (failed_) return EIO;
    record_.bytes = encode_journal_meta(meta);
    return 0;
  }

  JournalStart& mutable_start() noexcept override { return start_; }

  std::string path_ = "journal";
  SuperblockRecord& record_;
  MutableBytes image_;
  JournalStart start_;
  bool failed_ = false;
};

}  // namespace binlane::sim
