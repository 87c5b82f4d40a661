// FileHead: whether a binlog file that was just made has been given its beginning yet.
//
// MariaDB 11.8 makes the binlog of a large transaction (binlog_large_commit_threshold) out of the
// file of the transaction's cache. Under the next file's name a reader then sees, one after
// another: an empty file that is removed again, no file, and the cache's file, whose first 4096
// bytes are zeros until one write gives it the head. That write is not atomic for a reader, who may
// see any part of it. None of this is a restart, or damage: the file is not there yet.
//
// No I/O, no clock.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/clock.h"

namespace binlane {

// The servers' one write that makes a file of a cache a binlog is this long.
inline constexpr std::size_t kFileHeadSize = 4096;

enum class FileHead : std::uint8_t {
  absent,    // the file is empty, or begins with zeros
  torn,      // it begins as a binlog does, but an event of the head is not whole
  unproven,  // nothing is wrong with it, but no checksum proves that all of it is there
  whole      // or it is no binlog's at all, which is for the tracker to say
};

// `head`: the file's first kFileHeadSize bytes, or all of a shorter file.
FileHead judge_head(ConstBytes head) noexcept;

// HeadWatch: when the next file may be followed, from one look at its head to the next.
class HeadWatch {
 public:
  // A head that is torn for longer is damaged, because the server writes it at once.
  static constexpr std::uint64_t kTorn_ns = kNanosPerSecond;

  // A look has found this. A head without checksums is believed if the look before found it like
  // that too. A damaged head is followed, so that the tracker says what is wrong with it.
  bool has_begun(FileHead found, std::uint64_t now_ns) noexcept;

 private:
  bool unproven_ = false;            // at the last look
  std::uint64_t torn_since_ns_ = 0;  // 0: it is not torn
};

}  // namespace binlane
