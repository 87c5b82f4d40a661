// FileSourceLogView: answers a handshake's questions about the source's binlog from a copy of the
// lane's stream map and the files themselves. Control thread; refreshed before each handshake's
// first comparison.
#pragma once

#include <optional>
#include <utility>

#include "base/assert.h"
#include "dataplane/session/source_handshake.h"
#include "shim/binlog/binlog_folder.h"
#include "shim/binlog/stream_digester.h"
#include "shim/binlog/stream_map.h"

namespace binlane {

class FileSourceLogView final : public SourceLogView {
 public:
  // `folder` outlives this.
  explicit FileSourceLogView(const BinlogFolder& folder) : folder_(folder) {}

  // The stream as the lane knew it at one moment.
  void refresh(StreamMap map, std::uint64_t written) {
    map_ = std::move(map);
    written_ = written;
  }

  // A log's files, up to the log's end. Where that is behind a file's last event, the tailer knows
  // that the file ended, and the log may not hold it yet.
  void refresh(StreamMap map, const Position& end) {
    map_ = std::move(map);
    const auto written = map_.linear_of(end);
    BL_ASSERT(written);
    written_ = *written;
  }

  Position first() const override { return {map_.first_file(), 0}; }
  std::uint64_t written() const override { return written_; }
  std::optional<std::uint64_t> linear_of(const Position& position) const override {
    return map_.linear_of(position);
  }
  Position position_of(std::uint64_t linear) const override {
    return map_.position_of(linear).value_or(first());
  }
  std::optional<std::uint32_t> digest(std::uint64_t from, std::uint64_t to) const override {
    return StreamDigester(folder_, map_).digest_range(from, to);
  }
  std::optional<std::uint32_t> digest_below(const Position& end,
                                            std::uint64_t length) const override {
    const auto to = map_.linear_of(end);
    if (!to || length > end.offset) return std::nullopt;
    return digest(*to - length, *to);
  }

 private:
  const BinlogFolder& folder_;
  StreamMap map_;
  std::uint64_t written_ = 0;
};

}  // namespace binlane
