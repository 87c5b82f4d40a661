// StreamAnchor: what a source remembers of its stream's bytes, so that after a restart it can tell
// whether the binlogs it finds are still that stream (safety rules S3, S16).
//
// Names and lengths do not tell: after a RESET nobody saw, the server may have written on until the
// numbering passed where it had been. Registering there would acknowledge bytes that no replica
// has. The anchor is a place below which everything is on the source's stable storage, with a
// digest of the beginning of its file (format description with the time of creation, Gtid_list) and
// of the bytes right in front of it. A server never writes the same there twice.
//
// Free of state; control thread. Reads at most kAnchorHead + kAnchorTail bytes of one file.
#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <optional>

#include "base/canary.h"
#include "base/position.h"
#include "base/stream_digest.h"
#include "shim/binlog_files.h"

namespace binlane {

inline constexpr std::uint64_t kAnchorHead = 1024;
inline constexpr std::uint64_t kAnchorTail = 4096;

// Not before the format description's own time stamp is covered: in front of that all streams are
// the same.
inline constexpr std::uint64_t kLeastAnchored = 64;

inline bool can_anchor(const Position& at) noexcept {
  return at.offset >= kLeastAnchored;
}

struct StreamAnchor {
  Position at;  // null: none
  std::uint32_t digest = 0;

  bool operator==(const StreamAnchor&) const = default;
};

enum class AnchorCheck : std::uint8_t {
  none,     // there is no anchor: a stream that has only begun
  same,     // the bytes are those
  differs,  // the file ends before the anchor, or holds other bytes
  gone,     // the file is not there any more: nothing can be said
  failed,   // it cannot be read
};

// The digest of [from, to) of an open file, continuing `crc`; nothing when not all of it is there.
template <BinlogFiles Files>
std::optional<std::uint32_t> digest_part(Files& files, FileHandle handle, std::uint64_t from,
                                         std::uint64_t to, std::uint32_t crc, bool& failed) {
  std::array<std::byte, 1024> buffer;
  while (from < to) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(to - from, buffer.size()));
    const std::int64_t count = files.read_at(handle, from, MutableBytes(buffer).first(wanted));
    failed = count < 0;
    if (count <= 0) return std::nullopt;
    const auto length = static_cast<std::size_t>(count);
    crc = digest_bytes(crc, from, ConstBytes(buffer).first(length));
    from += length;
  }
  return crc;
}

template <BinlogFiles Files>
std::optional<std::uint32_t> anchor_digest(Files& files, FileHandle handle, std::uint64_t offset,
                                           bool& failed) {
  const auto head = digest_part(files, handle, 0, std::min(kAnchorHead, offset), 0, failed);
  if (!head) return std::nullopt;
  const std::uint64_t from = offset > kAnchorTail ? offset - kAnchorTail : 0;
  return digest_part(files, handle, from, offset, *head, failed);
}

// The anchor at `at`, or `before` where none can be had: a file of which only the magic is there
// says nothing, and an error leaves what is on record true, only older.
template <BinlogFiles Files>
StreamAnchor make_anchor(Files& files, Position at, const StreamAnchor& before) {
  if (!can_anchor(at)) return before;
  const int handle = files.open(at.file);
  if (handle < 0) return before;
  bool failed = false;
  const auto digest = anchor_digest(files, handle, at.offset, failed);
  files.close(handle);
  return digest ? StreamAnchor{at, *digest} : before;
}

template <BinlogFiles Files>
AnchorCheck check_anchor(Files& files, const StreamAnchor& anchor) {
  if (anchor.at.is_null()) return AnchorCheck::none;
  if (canary(Canary::reset_unnoticed)) return AnchorCheck::same;
  const int handle = files.open(anchor.at.file);
  if (handle == -ENOENT) return AnchorCheck::gone;
  if (handle < 0) return AnchorCheck::failed;
  bool failed = false;
  const auto digest = anchor_digest(files, handle, anchor.at.offset, failed);
  files.close(handle);
  if (failed) return AnchorCheck::failed;
  return digest == anchor.digest ? AnchorCheck::same : AnchorCheck::differs;
}

}  // namespace binlane
