// ReadAhead: reads a backlog from its file in larger pieces than frames, so that some twenty frames
// cost one system call. A reader that continues where a read ended gets a piece of its own. A read
// from anywhere else (a retransmission) takes what it needs and nothing more.
//
// Indexed by the stream's linear coordinate. Allocates at construction. Owned by the source's lane.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>

#include "base/assert.h"
#include "base/bytes.h"

namespace binlane {

class ReadAhead {
 public:
  // This much stays in a core's second-level cache beside everything else.
  static constexpr std::size_t kPieceSize = std::size_t{32} << 10;
  // As many places as a lane has sessions that may catch up at the same time.
  static constexpr std::size_t kMaxPieces = 16;

  ReadAhead() : bytes_(std::make_unique_for_overwrite<std::byte[]>(kMaxPieces * kPieceSize)) {}

  void reset() noexcept { pieces_ = {}; }

  // Fills `out` from `linear` on, of whose file `left` bytes (>= out.size()) may be read. What is
  // not buffered comes from read_at(bytes) -> count or -errno, which reads from `linear`. Returns
  // the bytes in `out`, or what read_at returned if that was not a positive count.
  template <class ReadAt>
  std::int64_t read(std::uint64_t linear, MutableBytes out, std::uint64_t left,
                    ReadAt&& read_at) noexcept {
    BL_ASSERT(!out.empty() && out.size() <= left);
    ++use_;
    Piece* oldest = pieces_.data();
    Piece* continued = nullptr;
    for (Piece& piece : pieces_) {
      if (piece.holds(linear, out.size())) return copy(piece, linear, out);
      if (piece.last_use != 0 && piece.next == linear) continued = &piece;
      if (piece.last_use < oldest->last_use) oldest = &piece;
    }
    if (continued != nullptr) return refill(*continued, linear, out, left, read_at);
    const std::int64_t count = read_at(out);
    // Nothing of it is kept except the place from which its reader may continue.
    if (count > 0) *oldest = {0, 0, linear + static_cast<std::uint64_t>(count), use_};
    return count;
  }

 private:
  // The bytes [begin, end) are buffered, perhaps none.
  struct Piece {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t next = 0;      // where the last reader of this piece would continue
    std::uint64_t last_use = 0;  // 0: never

    bool holds(std::uint64_t linear, std::size_t size) const noexcept {
      return linear >= begin && linear + size <= end;
    }
  };

  std::byte* bytes_of(const Piece& piece) const noexcept {
    return bytes_.get() + (&piece - pieces_.data()) * kPieceSize;
  }

  std::int64_t copy(Piece& piece, std::uint64_t linear, MutableBytes out) noexcept {
    BL_ASSERT(piece.holds(linear, out.size()));
    std::memcpy(out.data(), bytes_of(piece) + (linear - piece.begin), out.size());
    piece.next = linear + out.size();
    piece.last_use = use_;
    return static_cast<std::int64_t>(out.size());
  }

  // The few bytes that are buffered are read again: frames stay whole, and nothing has to be moved.
  template <class ReadAt>
  std::int64_t refill(Piece& piece, std::uint64_t linear, MutableBytes out, std::uint64_t left,
                      ReadAt&& read_at) noexcept {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left, kPieceSize));
    const std::int64_t count = read_at(MutableBytes(bytes_of(piece), wanted));
    piece = {};
    if (count <= 0) return count;
    BL_ASSERT(static_cast<std::size_t>(count) <= wanted);
    piece.begin = linear;
    piece.end = linear + static_cast<std::uint64_t>(count);
    return copy(piece, linear, out.first(std::min(out.size(), static_cast<std::size_t>(count))));
  }

  std::unique_ptr<std::byte[]> bytes_;
  std::array<Piece, kMaxPieces> pieces_{};
  std::uint64_t use_ = 0;
};

}  // namespace binlane
