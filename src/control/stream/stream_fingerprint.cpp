#include "control/stream/stream_fingerprint.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "base/mutant.h"
#include "base/stream_digest.h"

namespace binlane {
namespace {

// The digest of [from, to) of an open file, continuing `crc`; nothing when not all of it is there.
std::optional<std::uint32_t> digest_part(const BinlogFolder& folder, FileHandle handle,
                                         std::uint64_t from, std::uint64_t to, std::uint32_t crc,
                                         bool& failed) {
  std::array<std::byte, 1024> buffer;
  while (from < to) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(to - from, buffer.size()));
    const std::int64_t count = folder.read_at(handle, from, MutableBytes(buffer).first(wanted));
    failed = count < 0;
    if (count <= 0) return std::nullopt;
    const auto length = static_cast<std::size_t>(count);
    crc = digest_bytes(crc, from, ConstBytes(buffer).first(length));
    from += length;
  }
  return crc;
}

std::optional<std::uint32_t> anchor_digest(const BinlogFolder& folder, FileHandle handle,
                                           std::uint64_t offset, bool& failed) {
  const auto head = digest_part(folder, handle, 0, std::min(kFingerprintHead, offset), 0, failed);
  if (!head) return std::nullopt;
  const std::uint64_t from = offset > kFingerprintTail ? offset - kFingerprintTail : 0;
  return digest_part(folder, handle, from, offset, *head, failed);
}

}  // namespace

StreamFingerprint make_anchor(const BinlogFolder& folder, Position at,
                              const StreamFingerprint& before) {
  if (!can_anchor(at)) return before;
  const OpenBinlog file(folder, at.file);
  if (file.error() != 0) return before;
  bool failed = false;
  const auto digest = anchor_digest(folder, file.handle(), at.offset, failed);
  return digest ? StreamFingerprint{at, *digest} : before;
}

FingerprintCheck check_anchor(const BinlogFolder& folder, const StreamFingerprint& anchor) {
  if (anchor.at.is_null()) return FingerprintCheck::none;
  const OpenBinlog file(folder, anchor.at.file);
  if (file.error() == ENOENT) return FingerprintCheck::gone;
  if (file.error() != 0) return FingerprintCheck::failed;
  bool failed = false;
  const auto digest = anchor_digest(folder, file.handle(), anchor.at.offset, failed);
  if (failed) return FingerprintCheck::failed;
  const bool same = BL_MUTANT(reset_unnoticed, true, digest == anchor.digest);
  return same ? FingerprintCheck::same : FingerprintCheck::differs;
}

}  // namespace binlane
