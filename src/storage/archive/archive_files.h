// ArchiveFiles: the archive's folder, written strictly in order.
//
// One file is open at a time, the one that contains end(). write() puts bytes at end(). end_file()
// ends the file the way the server ended its own, makes it durable and moves to the next number. If
// a file already reaches beyond end(), write() overwrites it with what must be the same bytes, and
// never reads from there. Archive thread only.
//
// The files equal the source's, byte for byte. [I8]
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/file_end.h"
#include "base/position.h"
#include "storage/archive/archive_io.h"
#include "storage/file_util.h"

namespace binlane {

class ArchiveFiles {
 public:
  ArchiveFiles(std::string directory, ArchiveIo& io);
  ~ArchiveFiles();
  ArchiveFiles(const ArchiveFiles&) = delete;
  ArchiveFiles& operator=(const ArchiveFiles&) = delete;

  // Before anything else: creates the folder if it is missing. Returns why the folder cannot be
  // used, or nothing; it may be called again then.
  std::string make_directory();
  const std::string& directory() const noexcept { return directory_; }
  std::string path(std::uint32_t number) const;
  // Needed before anything else.
  void set_basename(std::string basename) { basename_ = std::move(basename); }
  const std::string& basename() const noexcept { return basename_; }

  // Reading, for start-up. The size of a file, or nothing if it does not exist.
  std::optional<std::uint64_t> size(std::uint32_t number) const;
  // How many bytes of a file equal `bytes` from `offset` on (except for the IN_USE flag); bytes
  // that cannot be read do not count. An errno if the file could not be examined for want of
  // descriptors.
  int matching(std::uint32_t number, std::uint64_t offset, ConstBytes bytes,
               std::size_t& same) const;
  std::int64_t read(std::uint32_t number, std::uint64_t offset, MutableBytes bytes) const;
  // Shortens a file to `size` if it is longer. 0 or an errno.
  int truncate(std::uint32_t number, std::uint64_t size) const;

  // Writing continues at `end`, whose file holds at least end.offset bytes. Up to `kept` the files
  // hold what will be written; anything after `kept` is truncated when its file is opened.
  void set_end(Position end, Position kept) noexcept {
    end_ = end;
    kept_ = kept;
  }
  Position end() const noexcept { return end_; }
  // Writes as much of `bytes` at end() as there is room for, and moves end() by that. Returns 0 or
  // an errno.
  int write(ConstBytes bytes);
  // Ends the file that contains end(). After an error end() has not moved, and the call may be
  // repeated.
  int end_file(const FileEnd& file_end);
  // Makes everything up to end() durable. 0 or an errno.
  int sync();
  bool is_dirty() const noexcept { return dirty_; }
  // The last error came from a sync: what the kernel wrote is unknown, so there is no second
  // attempt.
  bool sync_failed() const noexcept { return sync_failed_; }

 private:
  int open_current();
  void close_current() noexcept;
  int cut_off_leftovers() const;

  std::string directory_;
  std::string basename_;
  ArchiveIo& io_;
  Position end_;
  Position kept_;
  int handle_ = -1;                // of file open_number_
  std::uint32_t open_number_ = 0;  // 0: none
  bool dirty_ = false;
  bool name_unsynced_ = false;  // of the file that was opened last
  bool sync_failed_ = false;
};

// What a handshake compares with the source's binlog below the journal.
struct ArchiveDigest {
  Position end;
  std::uint64_t length = 0;  // of the digested bytes, which end at `end`; 0: nothing there
  std::uint32_t digest = 0;  // base/stream_digest.h
};

// Digests up to `max_length` archived bytes before `end`, all in one file (the previous file if
// `end` is at the beginning of one). Any ordinary thread.
ArchiveDigest digest_archive(const std::string& directory, const std::string& basename,
                             Position end, std::uint64_t max_length);

}  // namespace binlane
