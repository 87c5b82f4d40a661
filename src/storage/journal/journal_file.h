// JournalFile: a journal on disk: the ring's file, its superblock, and the image in memory.
//
// `<path>` is the ring: block_count blocks, written with zeros once so that every later write is a
// plain overwrite. `<path>.meta` is the superblock (journal_meta.h). Opening takes the file's lock,
// makes durable whatever an earlier process left in the device's cache, reads the ring, recovers,
// and stores the new incarnation before anything else can be written. `<path>.promise` keeps the
// promise for a journal that begins anew (promise_record.h).
//
// The constructors and open() are for start-up. The superblock may be used from any ordinary thread
// (journal_store.h); the image belongs to the Journal made over it.
//
// Invariants: I2 (O_DIRECT, or a name that says danger), S1 (the promise is stored before it is
// given).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "storage/durable_record.h"
#include "storage/file_util.h"
#include "storage/journal/journal.h"
#include "storage/journal/journal_meta.h"
#include "storage/journal/journal_store.h"
#include "storage/journal/promise_record.h"
#include "storage/journal/recovery.h"

namespace binlane {

struct JournalFileOptions {
  std::string path;
  std::uint64_t size_bytes = 0;  // of the ring; a multiple of kBlockSize
  // For tests and file systems without O_DIRECT: page cache and fdatasync. It is slower, and only
  // as durable as the file system.
  bool danger_buffered = false;
};

// Page-aligned memory for the ring, touched beforehand.
class JournalImage {
 public:
  explicit JournalImage(std::size_t size);  // throws StartupError
  ~JournalImage();
  JournalImage(const JournalImage&) = delete;
  JournalImage& operator=(const JournalImage&) = delete;

  MutableBytes bytes() noexcept { return bytes_; }

 private:
  MutableBytes bytes_;
};

class JournalFile final : public JournalStore {
 public:
  // Creates a new journal by writing the whole ring with zeros. Refuses to touch an existing one.
  // Throws StartupError.
  static void format(const JournalFileOptions& options);

  // Formats a new journal if there is none, and opens it. Throws StartupError with the reason: for
  // everything that recovery refuses, another size, another version, a file system without
  // O_DIRECT, and a second opening.
  static JournalFile open_or_format(const JournalFileOptions& options);
  explicit JournalFile(const JournalFileOptions& options);

  // For Journal and the disk.
  MutableBytes image() noexcept override { return image_.bytes(); }
  int descriptor() const noexcept { return file_.get(); }
  const RecoveredJournal& recovered() const noexcept { return recovered_; }
  const JournalStart& start() const noexcept override { return recovered_.start; }
  bool is_buffered() const noexcept { return options_.danger_buffered; }
  const std::string& path() const noexcept override { return options_.path; }
  // Blocks that the medium could not read; for recovery they do not validate.
  std::uint32_t unreadable_blocks() const noexcept { return unreadable_blocks_; }

 private:
  int store(const JournalMeta& meta) override;
  JournalStart& mutable_start() noexcept override { return recovered_.start; }
  JournalMeta load_meta() const;
  void open_ring();
  void lock_ring();
  void read_ring();
  void report() const;

  JournalFileOptions options_;
  FileDescriptor file_;
  JournalImage image_;
  DurableRecord record_;  // of the superblock; guarded by its mutex
  // The same; it exists once the ring was found to be whole.
  std::optional<PromiseRecord> promise_;
  RecoveredJournal recovered_;
  std::uint32_t unreadable_blocks_ = 0;
};

}  // namespace binlane
