// JournalFile: a journal on disk: the ring's file, its superblock, and the image in memory.
//
// `<path>` is the ring: block_count blocks, written with zeros once so that every later write is a
// plain overwrite. `<path>.meta` is the superblock (journal_meta.h). Opening takes the file's lock,
// makes durable whatever an earlier process left in the device's cache, reads the ring, recovers,
// and stores the new incarnation before anything else can be written.
//
// The constructors and open() are for start-up. update() and the getters may be called from any
// ordinary thread (a mutex guards the superblock); the image belongs to the Journal made over it.
//
// Invariants: I2 (O_DIRECT, or a name that says danger), S1 (the promise is stored before it is
// given).
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "storage/durable_record.h"
#include "storage/file_util.h"
#include "storage/journal.h"
#include "storage/journal_meta.h"
#include "storage/recovery.h"

namespace binlane {

struct JournalFileOptions {
  std::string path;
  std::uint64_t size_bytes = 0;  // of the ring; a multiple of kBlockSize
  // For tests and file systems without O_DIRECT: page cache and fdatasync. Slower, and only as
  // durable as the file system is.
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

class JournalFile {
 public:
  // Makes a new journal: writes the whole ring with zeros. Refuses to touch one that exists. Throws
  // StartupError.
  static void format(const JournalFileOptions& options);

  // Formats a new journal where there is none, and opens it. Throws StartupError, with the reason,
  // for everything that recovery refuses, another size, another version, a file system without
  // O_DIRECT, a second opening.
  static JournalFile open_or_format(const JournalFileOptions& options);
  explicit JournalFile(const JournalFileOptions& options);
  JournalFile(const JournalFile&) = delete;
  JournalFile& operator=(const JournalFile&) = delete;

  // For Journal and the disk.
  MutableBytes image() noexcept { return image_.bytes(); }
  int descriptor() const noexcept { return file_.get(); }
  const RecoveredJournal& recovered() const noexcept { return recovered_; }
  const JournalStart& start() const noexcept { return recovered_.start; }
  bool is_buffered() const noexcept { return options_.danger_buffered; }
  const std::string& path() const noexcept { return options_.path; }
  // Blocks that the medium refused to read; recovery saw them as not validating.
  std::uint32_t unreadable_blocks() const noexcept { return unreadable_blocks_; }

  // --- the superblock ---
  JournalMeta meta() const;
  StreamIdentity stream() const;
  Promise promise() const;

  // Applies `change` and makes the result durable. 0, or an errno, after which every later call
  // fails as well (see DurableRecord) and the superblock stays as it was.
  [[nodiscard]] int update(const std::function<void(JournalMeta&)>& change);

  // The journal belongs to this stream from now on. Asserts that it belonged to none.
  // `learner_until`: how far the log has to come before it counts as inspected.
  [[nodiscard]] int set_stream(const StreamIdentity& stream, const LogMark& learner_until);
  // The journal gives up its stream, which ended at `sealed_at` and is kept in the archive, and
  // belongs to `next` (which may be null: to none), of which it holds nothing yet. Its UUID, its
  // promise and the numbers of its blocks go on. `last` is the newest block. Whoever calls this has
  // made sure that nothing is written to the ring meanwhile, and makes a new Journal from start()
  // afterwards. 0 or an errno.
  [[nodiscard]] int switch_stream(const StreamIdentity& next, Position sealed_at,
                                  const JournalConsumed& last);
  // Puts a quorum rule on record, as the newest. 0 or an errno.
  [[nodiscard]] int store_rule(const std::string& rule);
  // Why `stream` is not the journal's, for the operator and the peer; empty when it is, or when the
  // journal belongs to none yet.
  std::string stream_mismatch(const StreamIdentity& stream) const;

  // Stores a promise before it is given. Empty when it is stored, or was already; else why not: a
  // larger term was promised, or this term to another, or the store failed.
  [[nodiscard]] std::optional<std::string> store_promise(const Promise& promise);

  // Forgets the damage, once the log is there again. 0 or an errno.
  [[nodiscard]] int clear_damage();
  // The log has caught up with what was there when it began. 0 or an errno.
  [[nodiscard]] int clear_learner();

 private:
  JournalMeta load_meta() const;
  void open_ring();
  void lock_ring();
  void read_ring();
  void report() const;

  JournalFileOptions options_;
  FileDescriptor file_;
  JournalImage image_;
  mutable std::mutex mutex_;
  DurableRecord record_;  // guarded by mutex_
  JournalMeta meta_;      // guarded by mutex_; what record_ holds
  RecoveredJournal recovered_;
  std::uint32_t unreadable_blocks_ = 0;
};

}  // namespace binlane
