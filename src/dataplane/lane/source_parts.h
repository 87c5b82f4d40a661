// What a source's lane works on: the source's binlog as one stream, and the hosting server's
// semi-sync. Concepts, so that the simulator puts its own in their place.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/position.h"
#include "base/stream_slice.h"

namespace binlane {

// What the cycle needs of the source's binlog. Offsets are the stream map's linear ones.
template <class S>
concept BinlogStream = requires(S stream, const S& view, std::uint64_t at, MutableBytes out,
                                StreamSlice& slice, const Position& position) {
  // After the last whole event group that was read.
  { view.group_end() } -> std::same_as<std::uint64_t>;
  // Event groups seen so far: how many come at once tells many clients from a lone one.
  { view.groups() } -> std::same_as<std::uint64_t>;
  // Checks for new bytes. Returns false once the stream cannot continue as it is (restart, RESET,
  // error): control decides.
  { stream.poll(at) } -> std::same_as<bool>;
  // What the server writes now is known to be in this stream.
  { view.settled() } -> std::same_as<bool>;
  { view.written() } -> std::same_as<std::uint64_t>;
  // Everything that the server had written by then is before written().
  { view.all_read_ns() } -> std::same_as<std::uint64_t>;
  // Reads up to out.size() bytes at `at`; returns 0, or the errno that says why not (ENOENT:
  // purged).
  { stream.read(at, out, slice) } -> std::same_as<int>;
  // Null: in a file that was purged since.
  { view.position_of(at) } -> std::same_as<Position>;
  { view.linear_of(position) } -> std::same_as<std::uint64_t>;  // clamped to the stream
};

// `position` of a mark that is at `mark` now. It keeps its value while the stream cannot tell,
// because the file was purged.
template <BinlogStream S>
void keep_or_move(Position& position, const S& stream, std::uint64_t mark) noexcept {
  const Position at = stream.position_of(mark);
  if (!at.is_null()) position = at;
}

// What the cycle needs of its connection to the server.
template <class S>
concept SemiSyncServer = requires(S server, const Position& quorum) {
  // Called every turn: a quorum has everything before `quorum` (null: nothing yet in this
  // incarnation). Tells the server if that is news, and again for the exact position that the
  // server asks for. Never blocks. Returns the work done.
  { server.poll(quorum) } -> std::convertible_to<std::size_t>;
  // Semi-sync is off in the server: it reads no ACKs.
  {server.pause()};
  // Semi-sync is on again, and the server has forgotten what it was told.
  {server.resume()};
};

}  // namespace binlane
