// HelloMessage: a HELLO or HELLO_ACK frame on its way between a lane and the control thread, as a
// value.
//
// Handshakes are rare and may read files, so they are made outside the lane; the lane only passes
// their frames on.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "dataplane/port/port.h"
#include "dataplane/session/frame.h"

namespace binlane {

struct HelloMessage {
  std::uint32_t port = 0;  // index of the lane's port
  Endpoint peer;
  std::uint32_t length = 0;
  std::array<std::byte, wire::kMinMaxPayload> bytes{};

  ConstBytes frame() const noexcept {
    BL_ASSERT(length <= bytes.size());
    return ConstBytes(bytes).first(length);
  }
};

// Takes a frame that arrived, without a HELLO's padding. Returns false if it is too long to be one.
inline bool fill_hello(HelloMessage& message, std::uint32_t port, const Endpoint& peer,
                       ConstBytes frame) noexcept {
  if (frame.size() > message.bytes.size()) return false;
  message.port = port;
  message.peer = peer;
  message.length = static_cast<std::uint32_t>(frame.size());
  std::copy(frame.begin(), frame.end(), message.bytes.begin());
  return true;
}

// Builds a frame of `body` in the message, padded to a full frame of a 1500-byte MTU.
template <class Body>
void build_hello(HelloMessage& message, const FrameTags& tags, const Body& body) noexcept {
  static_assert(sizeof(wire::Header) + sizeof body <= wire::kMinMaxPayload);
  message.bytes.fill(std::byte{0});
  std::memcpy(message.bytes.data() + sizeof(wire::Header), static_cast<const void*>(&body),
              sizeof body);
  finish_frame(message.bytes, tags, sizeof body);
  message.length = static_cast<std::uint32_t>(message.bytes.size());
}

}  // namespace binlane
