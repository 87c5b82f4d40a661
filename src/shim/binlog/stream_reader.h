// StreamReader: bytes of a stream at any linear mark, for the senders of one lane.
//
// What the tailer has just read comes from its window. Older bytes come from the files, a few of
// which are kept open, and are read ahead. One reader serves all senders. It allocates nothing
// after construction; its system calls are pread, and open and close when another file is read.
#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/position.h"
#include "base/stream_slice.h"
#include "shim/binlog/binlog_files.h"
#include "shim/binlog/read_ahead.h"
#include "shim/binlog/stream_counters.h"
#include "shim/binlog/tailer.h"

namespace binlane {

template <BinlogFiles Files>
class StreamReader {
 public:
  // Senders catch up from a few places at once.
  static constexpr std::size_t kMaxOpenFiles = 8;

  // Both must outlive this.
  StreamReader(Files& files, const Tailer<Files>& tailer) : files_(files), tailer_(tailer) {}
  ~StreamReader() { reset(); }
  StreamReader(const StreamReader&) = delete;
  StreamReader& operator=(const StreamReader&) = delete;

  // Closes what is open and forgets what was read ahead. Call it whenever the tailer starts,
  // because the names may mean other files then.
  void reset() noexcept;

  // Reads what is at `linear` (<= the tailer's written()): at most out.size() bytes, never beyond a
  // file's end or what is written; at a file's end, its end. Nothing (length 0) at the stream's
  // end. Returns 0 or an errno: ENOENT if the server has purged the file, ENODATA if the file is
  // shorter than it was.
  int read(std::uint64_t linear, MutableBytes out, StreamSlice& slice) noexcept;

  // Any thread.
  ReaderCounters counters() const noexcept { return counters_.snapshot(); }

 private:
  struct Slot {
    std::uint32_t file = 0;
    FileHandle handle = kNoFile;
    std::uint64_t last_use = 0;
  };

  // `left` bytes of the file may be read (>= out.size()).
  int read_file(std::uint64_t linear, MutableBytes out, std::uint64_t left,
                StreamSlice& slice) noexcept;
  // The slot that holds `file` open; nullptr with `error` set if it cannot be opened.
  Slot* slot_of(std::uint32_t file, int& error) noexcept;
  void close(Slot& slot) noexcept;

  Files& files_;
  const Tailer<Files>& tailer_;
  std::array<Slot, kMaxOpenFiles> slots_{};
  std::uint64_t use_ = 0;
  ReadAhead ahead_;
  ReaderTally counters_;
};

template <BinlogFiles Files>
int StreamReader<Files>::read(std::uint64_t linear, MutableBytes out, StreamSlice& slice) noexcept {
  BL_ASSERT(linear <= tailer_.written());
  slice = {};
  const StreamMap& map = tailer_.map();
  const auto position = map.position_of(linear);
  if (!position) {
    counters_.failures.add();
    return ENOENT;
  }
  slice.at = *position;
  std::uint64_t left = tailer_.written() - linear;
  if (const auto end = map.end_of(position->file)) {
    left = end->final_size - position->offset;
    if (left == 0) {
      slice.file_end = true;
      slice.length = 1;
      slice.end = *end;
      return 0;
    }
  }
  out = out.first(static_cast<std::size_t>(std::min<std::uint64_t>(left, out.size())));
  if (out.empty()) return 0;
  if (!tailer_.window().holds(linear)) return read_file(linear, out, left, slice);
  slice.length = static_cast<std::uint32_t>(tailer_.window().copy(linear, out));
  BL_ASSERT(slice.length == out.size());
  counters_.window_bytes.add(slice.length);
  return 0;
}

template <BinlogFiles Files>
int StreamReader<Files>::read_file(std::uint64_t linear, MutableBytes out, std::uint64_t left,
                                   StreamSlice& slice) noexcept {
  int error = 0;
  const auto read_at = [&](MutableBytes bytes) -> std::int64_t {
    Slot* const slot = slot_of(slice.at.file, error);
    if (slot == nullptr) return -error;
    const std::int64_t count = files_.read_at(slot->handle, slice.at.offset, bytes);
    if (count <= 0) close(*slot);
    return count;
  };
  const std::int64_t count = ahead_.read(linear, out, left, read_at);
  if (count > 0) {
    slice.length = static_cast<std::uint32_t>(count);
    BL_ASSERT(slice.length <= out.size());
    counters_.file_bytes.add(slice.length);
    return 0;
  }
  counters_.failures.add();
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
  counters_.files_opened.add();
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
