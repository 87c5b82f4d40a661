// Makes a datagram's header right around content that is not: magic, version, type, length and
// checksum.
#pragma once

#include <vector>

#include "dataplane/session/frame.h"
#include "fuzz_target.h"

namespace binlane::fuzz {

// The body length next to `length` that a frame of this type may have.
inline std::size_t fitting_body(wire::Type type, std::uint16_t flags, std::size_t length) {
  switch (type) {
    case wire::Type::hello:
      return sizeof(wire::HelloBody);
    case wire::Type::hello_ack:
      return sizeof(wire::HelloAckBody);
    case wire::Type::ack:
      return sizeof(wire::AckBody);
    case wire::Type::exposed:
      return sizeof(wire::ExposedBody);
    case wire::Type::exposed_ack:
      return sizeof(wire::ExposedAckBody);
    case wire::Type::data:
      break;
  }
  if ((flags & wire::kFlagFileEnd) != 0) {
    return sizeof(wire::DataBody) + sizeof(wire::FileEndPayload);
  }
  return std::max(length, sizeof(wire::DataBody));
}

// What the header contains so far, as tags.
inline FrameTags tags_of(std::vector<std::byte>& datagram) {
  if (datagram.size() < sizeof(wire::Header)) datagram.resize(sizeof(wire::Header));
  wire::Header header;
  std::memcpy(static_cast<void*>(&header), datagram.data(), sizeof header);
  FrameTags tags;
  constexpr auto kLast = static_cast<std::uint8_t>(wire::Type::exposed_ack);
  constexpr std::uint8_t kReserved = 5;
  const auto type = static_cast<std::uint8_t>(
      header.type >= 1 && header.type <= kLast ? header.type : 1 + header.type % kLast);
  tags.type = type == kReserved ? wire::Type::data : static_cast<wire::Type>(type);
  tags.flags = header.flags;
  tags.session_id = header.session_id;
  tags.epoch = from_wire(header.epoch);
  tags.packet_number = header.packet_number;
  return tags;
}

inline void finish_datagram(std::vector<std::byte>& datagram, const FrameTags& tags) {
  const std::size_t body =
      fitting_body(tags.type, tags.flags, datagram.size() - sizeof(wire::Header));
  datagram.resize(sizeof(wire::Header) + body);
  finish_frame(datagram, tags, static_cast<std::uint32_t>(body));
}

// What decodes encodes to the same bytes, apart from fields that are reserved.
inline void check_round_trip(const FrameView& frame, ConstBytes datagram) {
  const wire::Header& header = frame.header;
  BL_ASSERT(frame.body.size() == header.body_length);
  BL_ASSERT(sizeof header + frame.body.size() <= datagram.size());
  std::vector<std::byte> again(sizeof header + frame.body.size());
  std::copy(frame.body.begin(), frame.body.end(), again.begin() + sizeof header);
  const FrameTags tags{frame.type(), header.flags, header.session_id, frame.epoch(),
                       header.packet_number};
  BL_ASSERT(finish_frame(again, tags, header.body_length) == again.size());
  const bool reserved_used =
      header.reserved != 0 || header.zero != 0 ||
      std::any_of(std::begin(header.integrity_rest), std::end(header.integrity_rest),
                  [](std::uint8_t byte) { return byte != 0; });
  BL_ASSERT(reserved_used || std::equal(again.begin(), again.end(), datagram.begin()));
  FrameView decoded;
  BL_ASSERT(decode(again, decoded) == FrameFault::none);
}

}  // namespace binlane::fuzz
