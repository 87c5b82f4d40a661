// StreamFingerprint: what a source remembers of its stream's bytes, so that after a restart it can
// tell whether the binlogs it finds are still that stream (safety rules S3, S16).
//
// Names and lengths do not tell: after a RESET nobody saw, the server may have written on until the
// numbering passed where it had been. Registering there would acknowledge bytes that no replica
// has. The anchor is a place below which everything is on the source's stable storage, with a
// digest of the beginning of its file (format description with the time of creation, Gtid_list) and
// of the bytes right before it. A server never writes the same there twice.
//
// Free of state; control thread. Reads at most kFingerprintHead + kFingerprintTail bytes of one
// file.
#pragma once

#include <cstdint>

#include "base/position.h"
#include "shim/binlog/binlog_folder.h"

namespace binlane {

inline constexpr std::uint64_t kFingerprintHead = 1024;
inline constexpr std::uint64_t kFingerprintTail = 4096;

// Not before the format description's own time stamp is covered: before that all streams are
// the same.
inline constexpr std::uint64_t kLeastAnchored = 64;

inline bool can_anchor(const Position& at) noexcept {
  return at.offset >= kLeastAnchored;
}

struct StreamFingerprint {
  Position at;  // null: none
  std::uint32_t digest = 0;

  bool operator==(const StreamFingerprint&) const = default;
};

enum class FingerprintCheck : std::uint8_t {
  none,     // there is no anchor: a stream that has only begun
  same,     // the bytes are those
  differs,  // the file ends before the anchor, or holds other bytes
  gone,     // the file is not there any more: nothing can be said
  failed,   // it cannot be read
};

// The anchor at `at`, or `before` where none can be had: a file of which only the magic is there
// says nothing, and an error leaves what is on record true, only older.
StreamFingerprint make_anchor(const BinlogFolder& folder, Position at,
                              const StreamFingerprint& before);

FingerprintCheck check_anchor(const BinlogFolder& folder, const StreamFingerprint& anchor);

}  // namespace binlane
