// StreamDigester: the digest of a part of a stream, by which source and replica prove that their
// logs match.
//
// Works on a copy of the lane's map and its own files, so that an ordinary thread can answer a
// handshake while the lane runs.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/stream_digest.h"
#include "shim/binlog_files.h"
#include "shim/stream_map.h"
#include "shim/stream_scan.h"

namespace binlane {

template <BinlogFiles Files>
class StreamDigester {
 public:
  static constexpr std::size_t kReadSize = std::size_t{256} << 10;

  StreamDigester(Files& files, StreamMap map)
      : files_(files), map_(std::move(map)), buffer_(kReadSize) {}

  // The digest (base/stream_digest.h) of [from, to), linear. Nothing when a part of it cannot be
  // read: it was purged, or was never written.
  std::optional<std::uint32_t> digest_range(std::uint64_t from, std::uint64_t to) {
    std::uint32_t crc = 0;
    while (from < to) {
      const auto position = map_.position_of(from);
      if (!position) return std::nullopt;
      std::uint64_t left = to - from;
      const auto end = map_.end_of(position->file);
      if (end) left = std::min(left, end->final_size - position->offset);
      if (left == 0) {
        crc = digest_file_end(crc);
        ++from;
        continue;
      }
      if (!digest_file(*position, left, crc)) return std::nullopt;
      from += left;
    }
    return crc;
  }

 private:
  // Continues `crc` over `size` bytes of one file.
  bool digest_file(Position at, std::uint64_t size, std::uint32_t& crc) {
    const scan_detail::OpenFile file(files_, at.file);
    if (file.error() != 0) return false;
    while (size > 0) {
      const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(size, buffer_.size()));
      const std::int64_t count = files_.read_at(file.handle(), at.offset, {buffer_.data(), wanted});
      if (count <= 0) return false;
      const auto taken = static_cast<std::size_t>(count);
      crc = digest_bytes(crc, at.offset, {buffer_.data(), taken});
      at.offset += taken;
      size -= taken;
    }
    return true;
  }

  Files& files_;
  StreamMap map_;
  std::vector<std::byte> buffer_;
};

}  // namespace binlane
