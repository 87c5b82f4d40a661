// StreamDigester: the digest of a part of a stream, by which source and replica prove that their
// logs match.
//
// Works on a copy of the lane's map and its own files, so that an ordinary thread can answer a
// handshake while the lane runs.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/position.h"
#include "shim/binlog/binlog_folder.h"
#include "shim/binlog/stream_map.h"

namespace binlane {

class StreamDigester {
 public:
  static constexpr std::size_t kReadSize = std::size_t{256} << 10;

  // `folder` outlives this.
  StreamDigester(const BinlogFolder& folder, StreamMap map)
      : folder_(folder), map_(std::move(map)), buffer_(kReadSize) {}

  // The digest (base/stream_digest.h) of [from, to), linear. Nothing when a part of it cannot be
  // read: it was purged, or was never written.
  std::optional<std::uint32_t> digest_range(std::uint64_t from, std::uint64_t to);

 private:
  // Continues `crc` over `size` bytes of one file.
  bool digest_file(Position at, std::uint64_t size, std::uint32_t& crc);

  const BinlogFolder& folder_;
  StreamMap map_;
  std::vector<std::byte> buffer_;
};

}  // namespace binlane
