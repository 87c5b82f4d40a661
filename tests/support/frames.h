// Builds and takes apart frames for tests.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "base/assert.h"
#include "base/file_end.h"
#include "dataplane/session/frame.h"

namespace binlane::test {

using Bytes = std::vector<std::byte>;

inline Bytes bytes_of(const std::string& text) {
  const auto* data = reinterpret_cast<const std::byte*>(text.data());
  return Bytes(data, data + text.size());
}

// A sealed frame of `body` followed by `payload`.
template <class Body>
Bytes make_frame(const FrameTags& tags, const Body& body, ConstBytes payload = {}) {
  Bytes frame(sizeof(wire::Header) + sizeof body + payload.size());
  std::memcpy(frame.data() + sizeof(wire::Header), static_cast<const void*>(&body), sizeof body);
  std::copy(payload.begin(), payload.end(),
            frame.begin() + static_cast<std::ptrdiff_t>(sizeof(wire::Header) + sizeof body));
  finish_frame(frame, tags, static_cast<std::uint32_t>(sizeof body + payload.size()));
  return frame;
}

// What a DATA frame of a test says.
struct DataFrame {
  std::uint64_t session_id = 7;
  Epoch epoch{1, 1};
  std::uint64_t packet = 1;
  std::uint16_t flags = 0;
  std::uint64_t offset = 0;
  Position at{1, 0};
  std::uint64_t synced = 0;
  std::uint64_t released = 0;
  std::uint32_t peers_need = 0;

  Bytes with(ConstBytes payload) const {
    FrameTags tags{wire::Type::data, flags, session_id, epoch, packet};
    wire::DataBody body;
    body.stream_offset = offset;
    body.file_offset = at.offset;
    body.file_number = at.file;
    body.peers_need = peers_need;
    body.synced = synced;
    body.released = released;
    return make_frame(tags, body, payload);
  }
  Bytes with(const std::string& text) const { return with(bytes_of(text)); }
  Bytes marks() const { return with(ConstBytes{}); }
  Bytes file_end(const FileEnd& end) const {
    const wire::FileEndPayload payload{end.final_size, end.last_group_end, end.flags_byte, {}};
    DataFrame frame = *this;
    frame.flags |= wire::kFlagFileEnd;
    return frame.with(ConstBytes(reinterpret_cast<const std::byte*>(&payload), sizeof payload));
  }
};

// The view keeps pointing into `frame`.
inline FrameView view_of(ConstBytes frame) {
  FrameView view;
  const FrameFault fault = decode(frame, view);
  BL_ASSERT(fault == FrameFault::none);
  return view;
}

inline bool bit_of(const wire::AckBody& ack, std::uint64_t distance) {
  return distance < wire::kBitmapBits && (ack.bitmap[distance / 8] >> (distance % 8) & 1) != 0;
}

}  // namespace binlane::test
