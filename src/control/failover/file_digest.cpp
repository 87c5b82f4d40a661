#include "control/failover/file_digest.h"

#include <algorithm>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/heartbeat.h"
#include "base/stream_digest.h"

namespace binlane {
namespace {

constexpr std::size_t kReadSize = std::size_t{1} << 20;

}  // namespace

std::optional<std::uint32_t> digest_up_to(const BinlogFolder& folder, Position end) {
  if (end.is_null() || (end.offset == 0 && end.file < 2)) return std::nullopt;
  const OpenBinlog file(folder, end.last_file());
  if (file.error() != 0) return std::nullopt;
  const std::int64_t size =
      end.offset == 0 ? folder.size(file.handle()) : static_cast<std::int64_t>(end.offset);
  if (size <= 0) return std::nullopt;
  const auto length = static_cast<std::uint64_t>(size);
  std::vector<std::byte> buffer(std::min<std::uint64_t>(kReadSize, length));
  std::uint32_t digest = 0;
  for (std::uint64_t offset = 0; offset < length;) {
    still_alive();
    const auto wanted = std::min<std::uint64_t>(buffer.size(), length - offset);
    const auto part = MutableBytes(buffer).first(static_cast<std::size_t>(wanted));
    const std::int64_t count = folder.read_at(file.handle(), offset, part);
    if (count <= 0) return std::nullopt;
    BL_ASSERT(static_cast<std::uint64_t>(count) <= wanted);
    digest = digest_bytes(digest, offset, part.first(static_cast<std::size_t>(count)));
    offset += static_cast<std::uint64_t>(count);
  }
  return digest;
}

}  // namespace binlane
