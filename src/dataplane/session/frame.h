// Frame: encodes and checks the datagrams of include/binlane/wire.h. Pure functions over byte
// spans.
//
// decode() believes nothing: a datagram of any content gives either a view whose sizes hold, or the
// reason why not. Every frame is checked again by the function that made it (seal asserts what
// decode demands).
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

// Fills `frame` in if `datagram` is a whole, intact Binlane frame whose body has the size its type
// demands. Bytes behind the body (the padding of a HELLO) are ignored.
FrameFault decode(ConstBytes datagram, FrameView& frame) noexcept;

// What a frame's header says beside its body.
struct FrameTags {
  wire::Type type = wire::Type::data;
  std::uint16_t flags = 0;
  std::uint64_t session_id = 0;
  Epoch epoch;
  std::uint64_t packet_number = 0;
};

// Writes the header in front of a body that already stands at buffer[sizeof(Header)…] and seals
// both. Returns the frame's length.
std::uint32_t seal(MutableBytes buffer, const FrameTags& tags, std::uint32_t body_length) noexcept;

// The body as a struct; decode() has checked the size.
template <class Body>
Body body_as(const FrameView& frame) noexcept;

// A fixed character field as text, up to its first NUL.
template <std::size_t N>
std::string_view field_text(const char (&field)[N]) noexcept {
  return {field, ::strnlen(field, N - 1)};
}
// Whether the field's text has its end, as all have that set_field() made.
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

// Numbers of the stream are far below this. What a peer says beyond it is nobody's, and would wrap
// in sums.
inline constexpr std::uint64_t kOffsetLimit = std::uint64_t{1} << 62;
// A place that a binlog can have: sums with its offset do not wrap, and another file may follow.
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

// Identity of a cluster in frames: FNV-1a of its configured name, so that a foreign cluster's
// frames are told apart. Not a secret.
std::uint64_t cluster_id_of(std::string_view cluster) noexcept;

template <class Body>
Body body_as(const FrameView& frame) noexcept {
  Body body;
  std::memcpy(static_cast<void*>(&body), frame.body.data(), sizeof body);
  return body;
}

}  // namespace binlane
