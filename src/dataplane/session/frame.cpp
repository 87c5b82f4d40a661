#include "dataplane/session/frame.h"

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/mutant.h"

namespace binlane {
namespace {

using wire::Header;

std::uint32_t frame_crc(Header header, ConstBytes body) noexcept {
  header.integrity = 0;
  const std::uint32_t crc =
      crc32c(0, ConstBytes(reinterpret_cast<const std::byte*>(&header), sizeof header));
  return crc32c(crc, body);
}

// The sizes that a body of this type may have.
bool body_length_fits(wire::Type type, std::uint16_t flags, std::size_t length) noexcept {
  switch (type) {
    case wire::Type::hello:
      return length == sizeof(wire::HelloBody);
    case wire::Type::hello_ack:
      return length == sizeof(wire::HelloAckBody);
    case wire::Type::data:
      if ((flags & wire::kFlagFileEnd) != 0)
        return length == sizeof(wire::DataBody) + sizeof(wire::FileEndPayload);
      return length >= sizeof(wire::DataBody);
    case wire::Type::ack:
      return length == sizeof(wire::AckBody);
    case wire::Type::exposed:
      return length == sizeof(wire::ExposedBody);
    case wire::Type::exposed_ack:
      return length == sizeof(wire::ExposedAckBody);
  }
  return false;
}

bool type_is_known(std::uint8_t type) noexcept {
  constexpr std::uint8_t kReserved = 5;
  return type >= static_cast<std::uint8_t>(wire::Type::hello) &&
         type <= static_cast<std::uint8_t>(wire::Type::exposed_ack) && type != kReserved;
}

}  // namespace

FrameFault decode(ConstBytes datagram, FrameView& frame) noexcept {
  if (datagram.size() < sizeof(Header)) return FrameFault::too_short;
  std::memcpy(static_cast<void*>(&frame.header), datagram.data(), sizeof(Header));
  const Header& header = frame.header;
  if (header.magic != wire::kMagic) return FrameFault::wrong_magic;
  if (header.version != wire::kVersion) return FrameFault::wrong_version;
  if (!type_is_known(header.type)) return FrameFault::wrong_type;
  if (header.key_id != 0) return FrameFault::wrong_key;
  const std::size_t length = header.body_length;
  if (length > datagram.size() - sizeof(Header)) return FrameFault::wrong_length;
  if (!body_length_fits(frame.type(), header.flags, length)) return FrameFault::wrong_length;
  frame.body = datagram.subspan(sizeof(Header), length);
  if (BL_MUTANT(frame_checksum_ignored, false, header.integrity != frame_crc(header, frame.body)))
    return FrameFault::wrong_integrity;
  return FrameFault::none;
}

std::uint32_t finish_frame(MutableBytes buffer, const FrameTags& tags,
                           std::uint32_t body_length) noexcept {
  BL_ASSERT(buffer.size() >= sizeof(Header) + body_length);
  BL_ASSERT(body_length_fits(tags.type, tags.flags, body_length));
  BL_ASSERT(body_length <= UINT16_MAX);
  Header header;
  header.magic = wire::kMagic;
  header.type = static_cast<std::uint8_t>(tags.type);
  header.flags = tags.flags;
  header.session_id = tags.session_id;
  header.epoch = to_wire(tags.epoch);
  header.packet_number = tags.packet_number;
  header.body_length = static_cast<std::uint16_t>(body_length);
  header.integrity = frame_crc(header, buffer.subspan(sizeof(Header), body_length));
  std::memcpy(buffer.data(), &header, sizeof header);
  return static_cast<std::uint32_t>(sizeof(Header)) + body_length;
}

std::uint64_t cluster_id_of(std::string_view cluster) noexcept {
  constexpr std::uint64_t kOffsetBasis = 0xcbf29ce484222325;
  constexpr std::uint64_t kPrime = 0x100000001b3;
  std::uint64_t hash = kOffsetBasis;
  for (const char c : cluster) hash = (hash ^ static_cast<unsigned char>(c)) * kPrime;
  return hash;
}

}  // namespace binlane
