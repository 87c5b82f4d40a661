// StreamReader: bytes of a stream at any linear mark, for the senders of one lane.
//
// What the tailer has just read comes out of its window; older bytes come from the files, with a
// few of them kept open, and are read ahead. One reader serves all senders. It allocates nothing
// after construction; its system calls are pread, and open and close when another file is read.
#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/file_end.h"
#include "base/position.h"
#include "shim/binlog_files.h"
#include "shim/read_ahead.h"
#include "shim/tailer.h"

namespace binlane {

// What stands at a mark: bytes of one file, or the end of a file.
struct StreamChunk {
  Position at;
  std::size_t size = 0;  // bytes; 0 at a file's end and at the stream's
  bool is_file_end = false;
  FileEnd file_end;  // valid when is_file_end

  // How far the linear mark moves over it.
  std::uint64_t units() const noexcept { return is_file_end ? 1 : size; }
};

struct ReaderCounters {
  std::uint64_t window_bytes = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t files_opened = 0;
  std::uint64_t failures = 0;
};

template <BinlogFiles Files>
class StreamReader {
 public:
  // Senders catch up from a few places at once.
  static constexpr std::size_t kMaxOpenFiles = 8;

  // Both outlive this.
  StreamReader(Files& files, const Tailer<Files>& tailer) : files_(files), tailer_(tailer) {}
  ~StreamReader() { reset(); }
  StreamReader(const StreamReader&) = delete;
  StreamReader& operator=(const StreamReader&) = delete;

  // Closes what is open and forgets what was read ahead: to be called whenever the tailer starts,
  // for the names may mean other files then.
  void reset() noexcept;

  // Reads what stands at `linear` (<= the tailer's written()): at most out.size() bytes, never
  // beyond a file's end or what is written; at a file's end, its end. Nothing (units() == 0) at the
  // stream's end. 0 or an errno: ENOENT when the server has purged the file, ENODATA when the file
  // is shorter than it was.
  int read(std::uint64_t linear, MutableBytes out, StreamChunk& chunk) noexcept;

  const ReaderCounters& counters() const noexcept { return counters_; }

 private:
  struct Slot {
    std::uint32_t file = 0;
    FileHandle handle = kNoFile;
    std::uint64_t last_use = 0;
  };

  // Of the file `left` bytes may be read (>= out.size()).
  int read_file(std::uint64_t linear, MutableBytes out, std::uint64_t left,
                StreamChunk& chunk) noexcept;
  // The slot that holds `file` open; nullptr with `error` set when it cannot be opened.
  Slot* slot_of(std::uint32_t file, int& error) noexcept;
  void close(Slot& slot) noexcept;

  Files& files_;
  const Tailer<Files>& tailer_;
  std::array<Slot, kMaxOpenFiles> slots_{};
  std::uint64_t use_ = 0;
  ReadAhead ahead_;
  ReaderCounters counters_;
};

template <BinlogFiles Files>
int StreamReader<Files>::read(std::uint64_t linear, MutableBytes out, StreamChunk& chunk) noexcept {
  BL_ASSERT(linear <= tailer_.written());
  chunk = {};
  const StreamMap& map = tailer_.map();
  const auto position = map.position_of(linear);
  if (!position) {
    ++counters_.failures;
    return ENOENT;
  }
  chunk.at = *position;
  std::uint64_t left = tailer_.written() - linear;
  if (const auto end = map.end_of(position->file)) {
    left = end->final_size - position->offset;
    if (left == 0) {
      chunk.is_file_end = true;
      chunk.file_end = *end;
      return 0;
    }
  }
  out = out.first(static_cast<std::size_t>(std::min<std::uint64_t>(left, out.size())));
  if (out.empty()) return 0;
  if (!tailer_.window().holds(linear)) return read_file(linear, out, left, chunk);
  chunk.size = tailer_.window().copy(linear, out);
  BL_ASSERT(chunk.size == out.size());
  counters_.window_bytes += chunk.size;
  return 0;
}

template <BinlogFiles Files>
int StreamReader<Files>::read_file(std::uint64_t linear, MutableBytes out, std::uint64_t left,
                                   StreamChunk& chunk) noexcept {
  int error = 0;
  const auto read_at = [&](MutableBytes bytes) -> std::int64_t {
    Slot* const slot = slot_of(chunk.at.file, error);
    if (slot == nullptr) return -error;
    const std::int64_t count = files_.read_at(slot->handle, chunk.at.offset, bytes);
    if (count <= 0) close(*slot);
    return count;
  };
  const std::int64_t count = ahead_.read(linear, out, left, read_at);
  if (count > 0) {
    chunk.size = static_cast<std::size_t>(count);
    BL_ASSERT(chunk.size <= out.size());
    counters_.file_bytes += chunk.size;
    return 0;
  }
  ++counters_.failures;
  return count < 0 ? static_cast<int>(-count) : ENODATA;
}

template <BinlogFiles Files>
auto StreamReader<Files>::slot_of(std::uint32_t file, int& error) noexcept -> Slot* {
  ++use_;
  Slot* oldest = slots_.data();
  for (Slot& slot : slots_) {
    if (slot.handle != kNoFile && slot.file == file) {
      slot.last_use = use_;
      return &slot;
    }
    if (slot.last_use < oldest->last_use) oldest = &slot;
  }
  close(*oldest);
  const int handle = files_.open(file);
  if (handle < 0) {
    error = -handle;
    return nullptr;
  }
  *oldest = {file, handle, use_};
  ++counters_.files_opened;
  return oldest;
}

template <BinlogFiles Files>
void StreamReader<Files>::close(Slot& slot) noexcept {
  if (slot.handle != kNoFile) files_.close(slot.handle);
  slot = {};
}

template <BinlogFiles Files>
void StreamReader<Files>::reset() noexcept {
  for (Slot& slot : slots_) close(slot);
  ahead_.reset();
}

}  // namespace binlane
