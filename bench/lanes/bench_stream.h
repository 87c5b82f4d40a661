// BenchStream: a source's binlog for benchmarks of the lanes. It is as long as it is told to be,
// and its bytes are a real file's, over and over. Each byte is read from its page cache once: the
// newest into the tail window that senders copy from, as the tailer does, and a backlog ahead of
// what is sent, as the reader does.
//
// It is the SourceCycle's BinlogStream. The lane's thread owns it.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <string>

#include "dataplane/lane/source_parts.h"
#include "shim/binlog/binlog_files.h"
#include "shim/binlog/read_ahead.h"
#include "shim/binlog/tailer.h"
#include "storage/file_util.h"

namespace binlane::bench {

class BenchStream {
 public:
  // Long enough that a bulk run does not read from the processor's caches alone.
  static constexpr std::uint64_t kFileBytes = 64U << 20;

  // Makes an unnamed file in `folder`. Throws StartupError.
  explicit BenchStream(const std::string& folder);

  // From the benchmark, between two turns: the server commits `bytes` more, and the lane's next
  // turn finds them. They are in the tail window already, unless there is no room for them there
  // (a backlog).
  void commit(std::uint64_t bytes) noexcept {
    pending_ += bytes;
    fill_window();
  }
  // The same, but the turn that finds them reads them into the window, as the tailer's does.
  void commit_unread(std::uint64_t bytes) noexcept { pending_ += bytes; }
  // When the lane found them.
  std::uint64_t seen_at_ns() const noexcept { return seen_at_ns_; }

  // --- BinlogStream
  bool poll(std::uint64_t now_ns) noexcept {
    all_read_ns_ = now_ns;
    if (written_ == pending_) return true;
    fill_window();
    written_ = pending_;
    seen_at_ns_ = now_ns;
    ++groups_;
    return true;
  }
  bool settled() const noexcept { return true; }
  std::uint64_t group_end() const noexcept { return written_; }
  std::uint64_t groups() const noexcept { return groups_; }
  std::uint64_t written() const noexcept { return written_; }
  std::uint64_t all_read_ns() const noexcept { return all_read_ns_; }
  int read(std::uint64_t at, MutableBytes out, StreamSlice& slice) noexcept {
    out = out.first(static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), written_ - at)));
    const std::int64_t count =
        window_.holds(at) ? static_cast<std::int64_t>(window_.copy(at, out))
                          : ahead_.read(at, out, written_ - at,
                                        [&](MutableBytes bytes) { return read_file(at, bytes); });
    if (count <= 0) return count == 0 ? ENODATA : static_cast<int>(-count);
    slice.at = position_of(at);
    slice.length = static_cast<std::uint32_t>(count);
    slice.file_end = false;
    return 0;
  }
  Position position_of(std::uint64_t at) const noexcept { return {kFile, at}; }
  std::uint64_t linear_of(const Position& position) const noexcept {
    return std::min(position.offset, written_);
  }

 private:
  static constexpr std::uint32_t kFile = 1;
  static constexpr std::uint64_t kReadSize = Tailer<PosixBinlogFiles>::kReadSize;

  // The count or -errno.
  std::int64_t read_file(std::uint64_t at, MutableBytes out) const noexcept {
    const std::uint64_t in_file = at % kFileBytes;
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), kFileBytes - in_file));
    const ssize_t count = ::pread(file_.get(), out.data(), wanted, static_cast<off_t>(in_file));
    return count < 0 ? -errno : count;
  }
  void fill_window() noexcept {
    if (pending_ - window_.end() > kReadSize) window_.reset(pending_);
    while (window_.end() < pending_) {
      const std::int64_t count = read_file(window_.end(), window_.room(pending_ - window_.end()));
      BL_ASSERT(count > 0);
      window_.add(static_cast<std::size_t>(count));
    }
  }

  FileDescriptor file_;
  TailWindow window_;
  ReadAhead ahead_;
  std::uint64_t pending_ = 0;
  std::uint64_t written_ = 0;
  std::uint64_t groups_ = 0;
  std::uint64_t all_read_ns_ = 0;
  std::uint64_t seen_at_ns_ = 0;
};
static_assert(BinlogStream<BenchStream>);

}  // namespace binlane::bench
