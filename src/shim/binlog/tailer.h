// Tailer: follows a source's binlog as the server writes it, and makes one stream of it.
//
// The hot path is one read at the end of the open file, straight into the window that the senders
// read from. A file is read to its end before the next one, which is exactly the next number. [S16]
// Signs that the server restarted, or that the files are no longer what they were, stop the tailer
// until control has started a new incarnation. [S6]
//
// Owned by the source's lane. After construction it allocates nothing; its system calls are pread,
// and open, stat, fstat and close when a file switches or nothing was written for a while.
#pragma once

#include <array>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "base/assert.h"
#include "base/clock.h"
#include "base/mutant.h"
#include "base/stream_digest.h"
#include "shim/binlog/binlog_files.h"
#include "shim/binlog/file_head.h"
#include "shim/binlog/group_tracker.h"
#include "shim/binlog/stream_counters.h"
#include "shim/binlog/stream_map.h"
#include "shim/binlog/stream_scan.h"
#include "shim/binlog/tail_event.h"
#include "shim/binlog/tail_window.h"

namespace binlane {

template <BinlogFiles Files>
class Tailer {
 public:
  // One read's largest size: what a lane's turn may take.
  static constexpr std::size_t kReadSize = std::size_t{64} << 10;
  // How often a file that does not grow is checked: did the server continue elsewhere?
  static constexpr std::uint64_t kIdleProbe_ns = 10 * kNanosPerMilli;
  // After a Rotate event the next file appears within a moment.
  static constexpr std::uint64_t kNextFileProbe_ns = 50 * kNanosPerMicro;
  static_assert(TailWindow::kDefaultCapacity >= 16 * kReadSize);

  // `files` must outlive this and is used by one thread at a time.
  explicit Tailer(Files& files, std::size_t window_capacity = TailWindow::kDefaultCapacity,
                  std::size_t map_capacity = StreamMap::kDefaultCapacity)
      : files_(files), map_(map_capacity), window_(window_capacity) {
    BL_ASSERT(window_capacity >= 2 * kReadSize);
  }
  ~Tailer() { stop(); }
  Tailer(const Tailer&) = delete;
  Tailer& operator=(const Tailer&) = delete;

  // Takes what scan_stream() found (`start` gets the old map in exchange, so that nothing is
  // allocated) and continues after it. Returns 0 or an errno; the tailer runs only after 0.
  int start(StreamStart& start, std::uint64_t now_ns) noexcept;
  void stop() noexcept;
  bool running() const noexcept { return phase_ != Phase::stopped; }

  // One turn's work: at most one read.
  TailEvent poll(std::uint64_t now_ns) noexcept;

  // The end of the stream, linear. It only grows, except at start().
  std::uint64_t written() const noexcept { return written_; }
  Position written_position() const noexcept {
    return {map_.current_file(), written_ - map_.current_begin()};
  }
  // After the last whole event group, linear; <= written(). A follow-on file's header counts only
  // once its first event group is complete. Before the server has listed the file in its index, a
  // restart deletes the file and reuses its number (MariaDB 10.11).
  std::uint64_t group_end() const noexcept { return group_end_; }

  // The current file is known to continue where the previous one ended, and to be the server's
  // still.
  bool settled() const noexcept { return header_checked_ && live_; }

  // Everything that was in the binlogs at this time has been read, as far as it could be read.
  std::uint64_t all_read_ns() const noexcept { return all_read_ns_; }

  const StreamMap& map() const noexcept { return map_; }
  const TailWindow& window() const noexcept { return window_; }
  const GroupTracker& tracker() const noexcept { return tracker_; }
  // Any thread.
  TailCounters counters() const noexcept { return counters_.snapshot(); }
  // Why it stopped with TailEvent::error: an errno; EBADMSG when fault() says why.
  int error() const noexcept { return error_; }
  TrackerFault fault() const noexcept { return tracker_.fault(); }

  // Forgets at most `bound` of the oldest files that the server has purged. Call it again while it
  // returns true.
  bool drop_purged(std::uint32_t bound) noexcept;

 private:
  enum class Phase : std::uint8_t {
    stopped,
    tailing,  // reading handle_
    between,  // handle_ was read to its last event; its successor does not exist yet
  };
  // What open_begun() says of a file that exists and has no head yet. No open() says it.
  static constexpr int kNotBegun = -EINPROGRESS;

  TailEvent read_tail(std::uint64_t now_ns) noexcept;
  TailEvent probe_idle(std::uint64_t now_ns) noexcept;
  TailEvent open_next(std::uint64_t now_ns) noexcept;
  int open_begun(std::uint32_t number, std::uint64_t now_ns) noexcept;
  TailEvent check_header() noexcept;
  TailEvent why_replaced() noexcept;
  void publish() noexcept;
  void end_file() noexcept;
  TailEvent halt(TailEvent event, int error = 0) noexcept;

  Files& files_;
  Phase phase_ = Phase::stopped;
  FileHandle handle_ = kNoFile;
  bool header_checked_ = false;      // of a file that was opened after another one
  std::uint64_t groups_before_ = 0;  // tracker_'s, when that file was opened
  bool begun_ = true;                // a group follows its header
  bool live_ = false;                // its name still meant this file when that was last checked
  bool previous_gone_ = false;   // the previous file was purged, or reset, when this one was opened
  bool successor_seen_ = false;  // the next file exists though this one has no last event
  HeadWatch next_head_;          // of the next file
  int error_ = 0;
  std::uint64_t written_ = 0;
  std::uint64_t group_end_ = 0;
  std::uint64_t growth_ns_ = 0;
  std::uint64_t probe_ns_ = 0;
  std::uint64_t polled_ns_ = 0;
  std::uint64_t all_read_ns_ = 0;
  TailTally counters_;
  GroupTracker tracker_;
  StreamMap map_;
  TailWindow window_;
};

template <BinlogFiles Files>
int Tailer<Files>::start(StreamStart& start, std::uint64_t now_ns) noexcept {
  stop();
  BL_ASSERT(!start.tracker.broken());
  BL_ASSERT(start.map.current_file() == start.tracker.end().file);
  std::swap(map_, start.map);
  tracker_ = start.tracker;
  error_ = 0;
  const int handle = files_.open(map_.current_file());
  if (handle < 0) return -handle;
  handle_ = handle;
  phase_ = Phase::tailing;
  header_checked_ = begun_ = true;
  live_ = true;
  successor_seen_ = false;
  next_head_ = {};
  growth_ns_ = now_ns;
  probe_ns_ = now_ns;
  polled_ns_ = now_ns;
  window_.reset(map_.current_begin() + tracker_.end().offset);
  publish();
  if (tracker_.ended()) end_file();
  return 0;
}

template <BinlogFiles Files>
void Tailer<Files>::stop() noexcept {
  if (handle_ != kNoFile) files_.close(handle_);
  handle_ = kNoFile;
  phase_ = Phase::stopped;
  counters_.head_wait.end();
}

template <BinlogFiles Files>
TailEvent Tailer<Files>::poll(std::uint64_t now_ns) noexcept {
  const bool paused = BL_MUTANT(acked_behind_reset, false, now_ns - polled_ns_ > kIdleProbe_ns);
  polled_ns_ = now_ns;
  switch (phase_) {
    case Phase::tailing:
      // After a pause, a lane must not rely on the growth of a file that is not the server's any
      // more: what it has yet to read of it may have been written before a RESET, or a PURGE.
      if (paused) live_ = !files_.replaced(handle_, map_.current_file());
      return read_tail(now_ns);
    case Phase::between:
      return open_next(now_ns);
    case Phase::stopped:
      break;
  }
  return TailEvent::none;
}

template <BinlogFiles Files>
TailEvent Tailer<Files>::read_tail(std::uint64_t now_ns) noexcept {
  const std::uint64_t offset = tracker_.end().offset;
  const MutableBytes room = window_.room(kReadSize);
  const std::int64_t count = files_.read_at(handle_, offset, room);
  if (count < 0) return halt(TailEvent::error, static_cast<int>(-count));
  if (count == 0) {
    if (!successor_seen_) all_read_ns_ = now_ns;
    return probe_idle(now_ns);
  }
  const auto size = static_cast<std::size_t>(count);
  BL_ASSERT(size <= room.size());
  // Nothing of a chunk that cannot be a binlog's is published.
  if (!tracker_.on_bytes(offset, room.first(size))) return halt(TailEvent::error, EBADMSG);
  window_.add(size);
  BL_ASSERT(window_.end() == map_.current_begin() + tracker_.end().offset);
  growth_ns_ = now_ns;
  counters_.bytes.add(size);
  counters_.reads.add();
  if (!header_checked_) {
    // No byte of a file counts before it is known that the file belongs to this stream.
    if (!tracker_.header_read()) return TailEvent::none;
    const TailEvent checked = check_header();
    if (checked != TailEvent::none) return checked;
  }
  publish();
  if (!tracker_.ended()) return TailEvent::grew;
  end_file();
  return TailEvent::file_ended;
}

// The file did not grow. From time to time, check whether the server continues elsewhere.
template <BinlogFiles Files>
TailEvent Tailer<Files>::probe_idle(std::uint64_t now_ns) noexcept {
  if (!successor_seen_ &&
      (now_ns - growth_ns_ < kIdleProbe_ns || now_ns - probe_ns_ < kIdleProbe_ns))
    return TailEvent::none;
  probe_ns_ = now_ns;
  counters_.probes.add();
  const std::int64_t size = files_.size(handle_);
  if (size < 0) return halt(TailEvent::error, static_cast<int>(-size));
  const auto length = static_cast<std::uint64_t>(size);
  if (BL_MUTANT(shrunken_file_ignored, false, length < tracker_.end().offset))
    return halt(TailEvent::shrunk);
  if (length > tracker_.end().offset) return TailEvent::none;
  if (files_.replaced(handle_, map_.current_file())) return halt(why_replaced());
  live_ = true;
  // The next file existed before this last read, which found nothing. So nothing will be added to
  // this one.
  if (successor_seen_) return halt(TailEvent::server_restarted);
  const int next = open_begun(map_.current_file() + 1, now_ns);
  if (next == -ENOENT || next == kNotBegun) return TailEvent::none;
  if (next < 0) return halt(TailEvent::error, -next);
  files_.close(next);
  successor_seen_ = true;
  return TailEvent::none;
}

// The newest file is gone, or its name means another one. A RESET removes the previous file as
// well. A server that starts removes only the file that its last run had not listed.
template <BinlogFiles Files>
TailEvent Tailer<Files>::why_replaced() noexcept {
  if (begun_) return TailEvent::reset;
  const std::uint32_t before = map_.current_file() - 1;
  const auto end = map_.end_of(before);
  const int handle = files_.open(before);
  if (handle < 0) return TailEvent::reset;
  const std::int64_t size = files_.size(handle);
  files_.close(handle);
  const bool stands = end && size >= 0 && static_cast<std::uint64_t>(size) == end->final_size;
  return stands ? TailEvent::server_restarted : TailEvent::reset;
}

template <BinlogFiles Files>
TailEvent Tailer<Files>::open_next(std::uint64_t now_ns) noexcept {
  const bool rotated = tracker_.ending() == FileEnding::rotate;
  if (now_ns - probe_ns_ < (rotated ? kNextFileProbe_ns : kIdleProbe_ns)) return TailEvent::none;
  probe_ns_ = now_ns;
  counters_.probes.add();
  const std::uint32_t number = map_.current_file();
  int next = open_begun(number, now_ns);
  if (next == -ENOENT) {
    if (!files_.replaced(handle_, number - 1)) {
      all_read_ns_ = now_ns;
      return TailEvent::none;
    }
    // Either the numbering began anew, or the next file came and this one has been purged since.
    next = open_begun(number, now_ns);
    if (next == -ENOENT) return halt(TailEvent::reset);
  }
  if (next == kNotBegun) return TailEvent::none;
  if (next < 0) return halt(TailEvent::error, -next);
  // Another file has this one's number: both belong to a new stream, however similar the next one's
  // GTID state is. A file that is gone was purged, if the next one's state says so.
  previous_gone_ = files_.replaced(handle_, number - 1);
  if (BL_MUTANT(renumbered_file_followed, false, previous_gone_)) {
    const int again = files_.open(number - 1);
    if (again >= 0) {
      files_.close(again);
      files_.close(next);
      return halt(TailEvent::reset);
    }
  }
  // The file that ended is as long as it was when its last event was read.
  const std::int64_t size = files_.size(handle_);
  const std::uint64_t final_size = tracker_.end().offset;
  files_.close(handle_);
  handle_ = next;
  if (size < 0) return halt(TailEvent::error, static_cast<int>(-size));
  if (static_cast<std::uint64_t>(size) < final_size) return halt(TailEvent::shrunk);
  if (static_cast<std::uint64_t>(size) > final_size) return halt(TailEvent::error, EBADMSG);
  if (!rotated) return halt(TailEvent::server_restarted);
  tracker_.start_file(number);
  phase_ = Phase::tailing;
  header_checked_ = begun_ = false;
  groups_before_ = tracker_.group_count();
  growth_ns_ = now_ns;
  return TailEvent::none;
}

// Opens the next file if the server has given it its head; otherwise returns -ENOENT, kNotBegun or
// another -errno. Until then the name may soon mean another file, so no handle is kept.
template <BinlogFiles Files>
int Tailer<Files>::open_begun(std::uint32_t number, std::uint64_t now_ns) noexcept {
  const int next = files_.open(number);
  if (next < 0) {
    counters_.head_wait.end();
    return next;
  }
  std::array<std::byte, kFileHeadSize> head;
  const std::int64_t count = files_.read_at(next, 0, head);
  if (count >= 0) {
    const ConstBytes found = ConstBytes(head).first(static_cast<std::size_t>(count));
    const bool begun = next_head_.has_begun(judge_head(found), now_ns);
    if (BL_MUTANT(half_made_file_followed, true, begun)) {
      next_head_ = {};
      counters_.head_wait.end();
      return next;
    }
    counters_.heads_awaited.add();
    counters_.head_wait.wait(number, now_ns);
  }
  files_.close(next);
  return count < 0 ? static_cast<int>(count) : kNotBegun;
}

// The first events of a file that follows another one.
template <BinlogFiles Files>
TailEvent Tailer<Files>::check_header() noexcept {
  header_checked_ = true;
  live_ = true;
  // The first file of a server's run after a Rotate: the previous run died before it made the next
  // file itself.
  if (tracker_.format().startup_s != 0) return halt(TailEvent::server_restarted);
  // It was made by a rotation of the same run of the server, which may have deleted domains.
  if (BL_MUTANT(foreign_file_followed, false, !continues(tracker_.continuity(), true))) {
    // A RESET removes the previous file. As that still exists, the server has lost a part of it, or
    // wrote half of it: groups that its clients were told OK for. [S24]
    return halt(previous_gone_ ? TailEvent::gap : TailEvent::damaged);
  }
  if (tracker_.continuity() == Continuity::unknown) counters_.unproven_files.add();
  return TailEvent::none;
}

template <BinlogFiles Files>
void Tailer<Files>::publish() noexcept {
  written_ = map_.current_begin() + tracker_.end().offset;
  begun_ = begun_ || tracker_.group_count() > groups_before_;
  group_end_ = map_.current_begin() + (begun_ ? tracker_.last_group_end().offset : 0);
  BL_ASSERT(group_end_ <= written_ && written_ == window_.end());
}

// The last event of a file was read: nothing is torn, and the server will clear the flag.
template <BinlogFiles Files>
void Tailer<Files>::end_file() noexcept {
  const std::uint64_t final_size = tracker_.end().offset;
  BL_ASSERT(tracker_.last_group_end().offset == final_size);
  map_.end_file(
      {map_.current_file(), final_size, final_size, tracker_.format().ended_flags_byte()});
  window_.add_file_end();
  written_ = map_.current_begin();
  group_end_ = written_;
  BL_ASSERT(written_ == window_.end());
  counters_.files_ended.add();
  phase_ = Phase::between;
  successor_seen_ = false;
}

template <BinlogFiles Files>
TailEvent Tailer<Files>::halt(TailEvent event, int error) noexcept {
  BL_ASSERT(stops_tailer(event));
  error_ = error;
  stop();
  return event;
}

template <BinlogFiles Files>
bool Tailer<Files>::drop_purged(std::uint32_t bound) noexcept {
  for (std::uint32_t dropped = 0; dropped < bound; ++dropped) {
    const std::uint32_t first = map_.first_file();
    if (first == map_.current_file()) return false;
    const int handle = files_.open(first);
    if (handle >= 0) files_.close(handle);
    if (handle != -ENOENT) return false;
    map_.drop_before(first + 1);
  }
  return true;
}

}  // namespace binlane
