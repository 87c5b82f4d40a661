// Frame: encodes and checks the datagrams of include/binlane/wire.h. Pure functions over byte
// spans.
//
// decode() believes nothing: for a datagram of any content it returns either a view whose sizes are
// right, or the reason why not. The function that makes a frame also checks it (an assertion of
// what decode demands).
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/bytes.h"
#include "base/epoch.h"
#include "base/position.h"
#include "base/uuid.h"
#include "binlane/wire.h"

namespace binlane {

enum class FrameFault : std::uint8_t {
  none,
  too_short,
  wrong_magic,
  wrong_version,
  wrong_type,
  wrong_length,
  wrong_key,
  wrong_integrity,
};
inline constexpr std::size_t kFrameFaultCount = 8;

struct FrameView {
  wire::Header header;
  ConstBytes body;
  wire::Type type() const noexcept { return static_cast<wire::Type>(header.type); }
  Epoch epoch() const noexcept { return {header.epoch.term, header.epoch.incarnation}; }
};

// Fills in `frame` if `datagram` is a whole, intact Binlane frame whose body has the size that its
// type demands. Bytes after the body (the padding of a HELLO) are ignored.
FrameFault decode(ConstBytes datagram, FrameView& frame) noexcept;

// What a frame's header says, without its body.
struct FrameTags {
  wire::Type type = wire::Type::data;
  std::uint16_t flags = 0;
  std::uint64_t session_id = 0;
  Epoch epoch;
  std::uint64_t packet_number = 0;
};

// Writes the header before a body that is already at buffer[sizeof(Header)…], and adds the checksum
// of both. Returns the frame's length.
std::uint32_t finish_frame(MutableBytes buffer, const FrameTags& tags,
                           std::uint32_t body_length) noexcept;

// The body as a struct; decode() has checked the size.
template <class Body>
Body body_as(const FrameView& frame) noexcept;

// A fixed character field as text, up to its first NUL.
template <std::size_t N>
std::string_view field_text(const char (&field)[N]) noexcept {
  return {field, ::strnlen(field, N - 1)};
}
// Whether the field's text has its end, as every text has that set_field() wrote.
template <std::size_t N>
constexpr bool is_ended(const char (&field)[N]) noexcept {
  return field[N - 1] == 0;
}
// Copies what fits and ends it with NUL.
template <std::size_t N>
void set_field(char (&field)[N], std::string_view text) noexcept {
  const std::size_t length = text.size() < N - 1 ? text.size() : N - 1;
  std::memset(field, 0, N);
  std::memcpy(field, text.data(), length);
}

// A UUID as frames carry it.
inline Uuid uuid_of(const std::uint8_t (&bytes)[16]) noexcept {
  Uuid uuid;
  std::memcpy(uuid.bytes.data(), bytes, sizeof bytes);
  return uuid;
}

// Numbers of the stream are far below this. A larger number from a peer is wrong, and would wrap
// around in sums.
inline constexpr std::uint64_t kOffsetLimit = std::uint64_t{1} << 62;
// A position that a binlog can have: sums with its offset do not wrap around, and another file may
// follow.
inline bool is_plausible(const Position& position) noexcept {
  return position.offset <= kOffsetLimit && position.file < UINT32_MAX;
}

inline wire::WirePosition to_wire(Position position) noexcept {
  return {position.file, position.offset};
}
inline Position from_wire(const wire::WirePosition& position) noexcept {
  return {position.file, position.offset};
}
inline wire::WireEpoch to_wire(Epoch epoch) noexcept {
  return {epoch.term, epoch.incarnation};
}
inline Epoch from_wire(const wire::WireEpoch& epoch) noexcept {
  return {epoch.term, epoch.incarnation};
}

// Identity of a cluster in frames: FNV-1a of its configured name, so that another cluster's frames
// are recognised. Not a secret.
std::uint64_t cluster_id_of(std::string_view cluster) noexcept;

template <class Body>
Body body_as(const FrameView& frame) noexcept {
  Body body;
  std::memcpy(static_cast<void*>(&body), frame.body.data(), sizeof body);
  return body;
}

}  // namespace binlane
