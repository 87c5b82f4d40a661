// SourceStream: the source lane's view of the binlog: tailer and reader behind the cycle's
// BinlogStream.
//
// Lane's thread; start() and stop() while the lane stands still (LaneQuiesce).
#pragma once

#include <cstdint>

#include "base/mutant.h"
#include "dataplane/lane/source_parts.h"
#include "shim/binlog/binlog_files.h"
#include "shim/binlog/stream_reader.h"
#include "shim/binlog/stream_scan.h"
#include "shim/binlog/tailer.h"

namespace binlane {

template <BinlogFiles Files>
class SourceStream {
 public:
  explicit SourceStream(Files& files) : tailer_(files), reader_(files, tailer_) {}

  // Goes on behind what scan_stream() found; 0 or an errno.
  int start(StreamStart& start, std::uint64_t now_ns) noexcept {
    reader_.reset();
    stopped_ = TailEvent::none;
    return tailer_.start(start, now_ns);
  }
  void stop() noexcept {
    reader_.reset();
    tailer_.stop();
  }

  // --- BinlogStream ---
  bool poll(std::uint64_t now_ns) noexcept {
    const TailEvent event = tailer_.poll(now_ns);
    if (!stops_tailer(event)) return true;
    stopped_ = event;
    return false;
  }
  std::uint64_t written() const noexcept { return tailer_.written(); }
  std::uint64_t all_read_ns() const noexcept { return tailer_.all_read_ns(); }
  bool settled() const noexcept { return stopped_ == TailEvent::none && tailer_.settled(); }
  std::uint64_t group_end() const noexcept { return tailer_.group_end(); }
  std::uint64_t groups() const noexcept { return tailer_.tracker().group_count(); }
  int read(std::uint64_t at, MutableBytes out, StreamSlice& slice) noexcept {
    return reader_.read(at, out, slice);
  }
  // Null for what lies in a file that was purged since. Never the oldest file that is left instead:
  // told to the server, that would acknowledge everything in between.
  Position position_of(std::uint64_t at) const noexcept {
    return tailer_.map().position_of(at).value_or(
        BL_MUTANT(purge_moves_marks, (Position{tailer_.map().first_file(), 0}), Position{}));
  }
  std::uint64_t linear_of(const Position& position) const noexcept {
    const StreamMap& map = tailer_.map();
    if (position.file < map.first_file()) return map.front();
    if (position.file > map.current_file()) return written();
    return map.linear_of(position).value_or(written());
  }

  // Any thread.
  BinlogCounters counters() const noexcept { return {tailer_.counters(), reader_.counters()}; }
  // While the lane stands still, or for the lane itself.
  const Tailer<Files>& tailer() const noexcept { return tailer_; }
  TailView view() const noexcept {
    return {tailer_.map(), tailer_.tracker(), tailer_.written(), stopped_, tailer_.error()};
  }
  bool drop_purged(std::uint32_t bound) noexcept { return tailer_.drop_purged(bound); }

 private:
  Tailer<Files> tailer_;
  StreamReader<Files> reader_;
  TailEvent stopped_ = TailEvent::none;  // why poll() returned false
};

static_assert(BinlogStream<SourceStream<PosixBinlogFiles>>);

}  // namespace binlane
