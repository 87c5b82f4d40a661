// HostSuperblock: a journal's superblock on a replica host's disk: encoded and decoded as in
// production, in a record that keeps what was stored, whole (the contract of DurableRecord).
#pragma once

#include <cerrno>
#include <string>
#include <vector>

#include "base/assert.h"
#include "storage/journal_store.h"
#include "storage/stream_switch.h"

namespace binlane::sim {

// What stands on the disk.
struct SuperblockRecord {
  std::vector<std::byte> bytes;
  bool failing = false;  // every store fails, and for the process that met it for ever
};

inline JournalMeta decode_superblock(const SuperblockRecord& record) {
  std::string reason;
  const auto meta = decode_journal_meta(record.bytes, reason);
  BL_ASSERT(meta.has_value());
  return *meta;
}

class HostSuperblock final : public JournalStore {
 public:
  explicit HostSuperblock(SuperblockRecord& record) : record_(record) {
    load(decode_superblock(record));
  }

  const std::string& path() const noexcept override { return path_; }
  const JournalStart& start() const noexcept override { return start_; }
  // What recovery found; once, at the opening.
  void set_start(const JournalStart& start) { start_ = start; }
  // As JournalFile's.
  [[nodiscard]] int switch_stream(const StreamIdentity& next, Position sealed_at,
                                  const JournalConsumed& last) {
    const int error =
        update([&](JournalMeta& meta) { binlane::switch_stream(meta, next, sealed_at, last); });
    if (error == 0) binlane::switch_stream(start_, last);
    return error;
  }

 private:
  int store(const JournalMeta& meta) override {
    failed_ = failed_ || record_.failing;
    if (failed_) return EIO;
    record_.bytes = encode_journal_meta(meta);
    return 0;
  }

  std::string path_ = "journal";
  SuperblockRecord& record_;
  JournalStart start_;
  bool failed_ = false;
};

}  // namespace binlane::sim
