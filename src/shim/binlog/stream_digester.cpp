#include "shim/binlog/stream_digester.h"

#include <algorithm>

#include "base/stream_digest.h"

namespace binlane {

std::optional<std::uint32_t> StreamDigester::digest_range(std::uint64_t from, std::uint64_t to) {
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

bool StreamDigester::digest_file(Position at, std::uint64_t size, std::uint32_t& crc) {
  const OpenBinlog file(folder_, at.file);
  if (file.error() != 0) return false;
  while (size > 0) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(size, buffer_.size()));
    const std::int64_t count = folder_.read_at(file.handle(), at.offset, {buffer_.data(), wanted});
    if (count <= 0) return false;
    const auto taken = static_cast<std::size_t>(count);
    crc = digest_bytes(crc, at.offset, {buffer_.data(), taken});
    at.offset += taken;
    size -= taken;
  }
  return true;
}

}  // namespace binlane
